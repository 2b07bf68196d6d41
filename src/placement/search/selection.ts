/**
 * Which units go on the groups of a fixed partition: where most is missed, a replica goes to the
 * group that has least to do (AlpaServe, section 4.2.1 and its fast heuristic). The original ends
 * with the fullest placement; this one with the best that it has seen.
 */
import { type Candidate, isBetter, type Judge, type PlacedGroup } from "../judge.ts";

export interface SelectOptions {
  /** The others are not placed; all by default. */
  readonly units?: readonly number[];
  /** Replicas that are added between two simulations, each to another group; 1 by default. */
  readonly addCount?: number;
  /** Placements that are followed up; 1 by default, which is greedy. */
  readonly beamWidth?: number;
  /** Different first replicas that are tried from each; 1 by default. */
  readonly branchCount?: number;
}

/** Adds to what is placed until nothing fits; returns the best on the way, the start included. */
export function selectUnits(
  judge: Judge,
  start: readonly PlacedGroup[],
  options: SelectOptions = {},
): Candidate {
  const { beamWidth = 1 } = options;
  let best = judge.judge(start);
  for (let beam: readonly Candidate[] = [best]; beam.length > 0;) {
    const next = new Map<string, readonly PlacedGroup[]>();
    for (const candidate of beam)
      for (const groups of successors(judge, candidate, options)) next.set(keyOf(groups), groups);
    beam = [...next.values()]
      .map((groups) => judge.judge(groups))
      .toSorted(
        (a, b) => Number(isBetter(b.counts, a.counts)) - Number(isBetter(a.counts, b.counts)),
      )
      .slice(0, beamWidth);
    const [first] = beam;
    if (first !== undefined && isBetter(first.counts, best.counts)) best = first;
  }
  return best;
}

/** One that starts with each of the first pairs of group and unit. */
function successors(
  judge: Judge,
  { groups, counts }: Candidate,
  options: SelectOptions,
): readonly (readonly PlacedGroup[])[] {
  const { units = [...judge.problem.units.keys()], addCount = 1, branchCount = 1 } = options;
  const load = (group: number): number => counts.groupRequests[group] ?? 0;
  const missed = (unit: number): number =>
    (counts.unitRequests[unit] ?? 0) - (counts.unitGood[unit] ?? 0);
  const byLoad = [...groups.keys()].toSorted((a, b) => load(a) - load(b));
  const byMisses = units.toSorted((a, b) => missed(b) - missed(a));
  const found: (readonly PlacedGroup[])[] = [];
  for (let branch = 0; branch < branchCount; branch++) {
    const grown = groups.slice();
    const added = new Set<number>();
    let skipCount = branch;
    for (const index of byLoad) {
      const group = groups[index];
      if (group === undefined || added.size === addCount) break;
      const room = byMisses.filter(
        (unit) =>
          !added.has(unit) &&
          !group.units.includes(unit) &&
          judge.fits(group, [...group.units, unit]),
      );
      const unit = room[skipCount];
      skipCount = unit === undefined ? skipCount - room.length : 0;
      if (unit === undefined) continue;
      added.add(unit);
      grown[index] = { ...group, units: [...group.units, unit] };
    }
    if (added.size === 0) break;
    found.push(grown);
  }
  return found;
}

/** Groups alike in configuration and units are alike; which is which does not matter. */
function keyOf(groups: readonly PlacedGroup[]): string {
  return groups
    .map(({ configuration: { intraOp, stageCount }, units }) =>
      [intraOp, stageCount, ...units.toSorted((a, b) => a - b)].join(" "),
    )
    .toSorted((a, b) => (a < b ? -1 : 1))
    .join();
}
