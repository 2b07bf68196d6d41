/**
 * Local search: small changes to a placement, drawn where requests are missed, and kept if the
 * judge finds them better. Units are added, moved, swapped and dropped; now and then up to three
 * groups are dissolved and their devices grouped anew, which is how uneven partitions come about.
 */
import { present } from "../../foundation/assert.ts";
import type { Random } from "../../foundation/random.ts";
import { assignDevices, sizeOf } from "../devices.ts";
import { type Candidate, isBetter, type Judge, type PlacedGroup } from "../judge.ts";
import { selectUnits } from "./selection.ts";
import type { Configuration } from "../placement.ts";

export interface ClimbOptions {
  readonly random: Random;
  /** Simulations, about; one that is cut short counts in part. */
  readonly runCount: number;
}

/** The cost, in simulations, of a proposal that comes to nothing, or the loop might not end. */
const proposalShare = 0.01;
/** Replicas at a time when new groups are filled: what is too much is sorted out by later moves. */
const addCount = 8;

/** Never worse than the start. */
export function climb(judge: Judge, start: Candidate, options: ClimbOptions): Candidate {
  const { random, runCount } = options;
  let best = start;
  for (let spent = 0; spent < runCount;) {
    const { goodCount, requestCount } = best.counts;
    if (goodCount === requestCount || best.groups.length === 0) return best;
    const before = judge.simulatedCount;
    best = step(judge, best, random) ?? best;
    spent += Math.max(proposalShare, (judge.simulatedCount - before) / requestCount);
  }
  return best;
}

function step(judge: Judge, best: Candidate, random: Random): Candidate | undefined {
  const move = moves[drawIndex(moveWeights, random)];
  if (move !== undefined) {
    const groups = move({ judge, ...best, random });
    return groups && judge.improve(groups, best.counts);
  }
  const groups = regroup({ judge, ...best, random });
  const candidate = groups && selectUnits(judge, groups, { addCount });
  return candidate && isBetter(candidate.counts, best.counts) ? candidate : undefined;
}

interface Surroundings extends Candidate {
  readonly judge: Judge;
  readonly random: Random;
}

type Groups = readonly PlacedGroup[];
/** Undefined if there is nothing to be done of its kind where it was drawn. */
type Move = (at: Surroundings) => Groups | undefined;

const moves: readonly Move[] = [add, move, swap, drop];
/** How often each is drawn; the last one is for grouping anew. */
const moveWeights = [0.25, 0.05, 0.66, 0.03, 0.01];

/** A replica of a unit that is missed, on any group; others make room. */
function add(at: Surroundings): Groups | undefined {
  const { counts, random } = at;
  // A little for all: what is missed now may be for lack of devices, which others have.
  const misses = Array.from(
    counts.unitRequests,
    (requests, unit) => requests - (counts.unitGood[unit] ?? 0) + 0.05,
  );
  return put(at, { unit: drawIndex(misses, random) });
}

/** A replica from a group that misses requests to any other. */
function move(at: Surroundings): Groups | undefined {
  const source = drawMissing(at);
  const group = groupAt(at.groups, source);
  if (group.units.length === 0) return undefined;
  const unit = drawOne(group.units, at.random);
  const groups = withUnits(at.groups, source, without(group.units, unit));
  return put({ ...at, groups }, { unit, source });
}

function drop(at: Surroundings): Groups | undefined {
  const source = drawMissing(at);
  const { units } = groupAt(at.groups, source);
  if (units.length === 0) return undefined;
  return withUnits(at.groups, source, without(units, drawOne(units, at.random)));
}

/** Two units of two groups change places. */
function swap({ judge, groups, counts, random }: Surroundings): Groups | undefined {
  const indices = [drawMissing({ groups, counts, random }), random.integer(groups.length)] as const;
  const [a, b] = [groupAt(groups, indices[0]), groupAt(groups, indices[1])];
  if (indices[0] === indices[1] || a.units.length === 0 || b.units.length === 0) return undefined;
  const [unitA, unitB] = [drawOne(a.units, random), drawOne(b.units, random)];
  if (a.units.includes(unitB) || b.units.includes(unitA)) return undefined;
  const [unitsA, unitsB] = [
    [...without(a.units, unitA), unitB],
    [...without(b.units, unitB), unitA],
  ];
  if (!judge.fits(a, unitsA) || !judge.fits(b, unitsB)) return undefined;
  return withUnits(withUnits(groups, indices[0], unitsA), indices[1], unitsB);
}

/** The unit on a group that has it not, nor had it; whatever is there leaves until it fits. */
function put(
  { judge, groups, random }: Surroundings,
  { unit, source = -1 }: { unit: number; source?: number },
): Groups | undefined {
  const targets = [...groups.keys()].filter((index) => {
    const group = groupAt(groups, index);
    return index !== source && !group.units.includes(unit) && judge.fits(group, [unit]);
  });
  if (targets.length === 0) return undefined;
  const target = drawOne(targets, random);
  const group = groupAt(groups, target);
  let { units } = group;
  while (!judge.fits(group, [...units, unit])) units = without(units, drawOne(units, random));
  return withUnits(groups, target, [...units, unit]);
}

/** The devices of up to three groups, and idle ones, in new and empty groups. */
function regroup({ judge, groups, counts, random }: Surroundings): Groups | undefined {
  const { cluster } = judge.problem;
  const groupCount = 1 + random.integer(Math.min(3, groups.length));
  const dissolved = new Set([drawMissing({ groups, counts, random })]);
  for (let turn = 1; turn < groupCount; turn++) dissolved.add(random.integer(groups.length));
  const kept = groups.filter((_, index) => !dissolved.has(index));
  const busy = new Set(kept.flatMap(({ devices }) => devices));
  const devices = Array.from({ length: judge.deviceCount }, (_, device) => device);
  const free = devices.filter((device) => !busy.has(device));
  const shape = drawShape(judge.configurations, free.length, random);
  const fresh = assignDevices(shape, free, cluster);
  return fresh && [...kept, ...fresh.map((group) => ({ ...group, units: [] }))];
}

/** First how large a group is, then how it runs, until all devices are taken. */
function drawShape(
  known: readonly Configuration[],
  deviceCount: number,
  random: Random,
): readonly Configuration[] {
  const shape: Configuration[] = [];
  for (let left = deviceCount; ;) {
    const sizes = [...new Set(known.map(sizeOf))].filter((size) => size <= left);
    if (sizes.length === 0) return shape;
    const size = drawOne(sizes, random);
    const ofSize = known.filter((configuration) => sizeOf(configuration) === size);
    shape.push(drawOne(ofSize, random));
    left -= size;
  }
}

/** A group, the likelier the more of what came to it was missed. */
function drawMissing({ counts, random }: Omit<Surroundings, "judge">): number {
  const misses = Array.from(
    counts.groupRequests,
    (requests, group) => requests - (counts.groupGood[group] ?? 0) + 0.01,
  );
  return drawIndex(misses, random);
}

function drawIndex(weights: readonly number[], random: Random): number {
  let left = random.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
  const index = weights.findIndex((weight) => (left -= weight) < 0);
  // Rounding may leave a little beyond the last.
  return index < 0 ? weights.length - 1 : index;
}

function drawOne<T>(values: readonly T[], random: Random): T {
  return present(values[random.integer(values.length)], "is drawn from something");
}

function groupAt(groups: Groups, index: number): PlacedGroup {
  return present(groups[index], "is one of the groups");
}

function withUnits(groups: Groups, index: number, units: readonly number[]): Groups {
  return groups.map((group, position) => (position === index ? { ...group, units } : group));
}

function without(units: readonly number[], unit: number): readonly number[] {
  return units.filter((other) => other !== unit);
}
