/**
 * What the searches ask: how good a placement is on the arrivals that are planned for, and what
 * fits where. A `Judge` owns a kernel and counts what it was asked; its answers depend on nothing
 * else.
 */
import { present } from "../foundation/assert.ts";
import { simulateBatching } from "./simulators/batching.ts";
import type { DeviceGroup } from "./devices.ts";
import { type Counts, Kernel, type KernelInput } from "./simulators/kernel.ts";
import {
  type Arrivals,
  type Configuration,
  groupBytes,
  type Plan,
  type Problem,
  profileOf,
  type SimulationProfile,
} from "./placement.ts";
import { reportOf } from "./report.ts";

/** What a placement is searched for. */
export interface Planning {
  readonly problem: Problem;
  /** History, or drawn from a demand. */
  readonly arrivals: Arrivals;
  readonly profile: SimulationProfile;
  /** Whether groups batch what waits: far slower to judge. */
  readonly isBatching?: boolean;
}

/** A group of a placement; `units` are indices. */
export interface PlacedGroup extends DeviceGroup {
  readonly units: readonly number[];
}

/** A placement and what the simulator said of it. */
export interface Candidate {
  readonly groups: readonly PlacedGroup[];
  readonly counts: Counts;
}

/** More in time; of as many, sooner. */
export function isBetter(a: Counts, b: Counts): boolean {
  return a.goodCount === b.goodCount
    ? a.servedSeconds < b.servedSeconds
    : a.goodCount > b.goodCount;
}

export function planOf(groups: readonly PlacedGroup[], { units }: Problem): Plan {
  const nameOf = (unit: number): string => present(units[unit], `There is no unit ${unit}`).name;
  return {
    groups: groups.map(({ devices, configuration, units: placed }) => ({
      devices,
      configuration,
      units: placed.map(nameOf),
    })),
  };
}

export class Judge {
  readonly problem: Problem;
  readonly deviceCount: number;
  /** All that some unit has a profile of and the cluster the devices for. */
  readonly configurations: readonly Configuration[];
  readonly #planning: Planning;
  readonly #input: KernelInput;
  readonly #kernel: Kernel;
  readonly #hasShared: boolean;
  /** Each unit's own bytes on a device, by configuration. */
  readonly #unitBytes = new Map<number, readonly number[]>();
  #runCount = 0;
  #simulatedCount = 0;

  constructor(planning: Planning) {
    const { problem, arrivals, profile } = planning;
    const { units, objective, cluster } = problem;
    this.#planning = planning;
    this.problem = problem;
    this.deviceCount = cluster.nodes.reduce((sum, node) => sum + node.deviceCount, 0);
    this.#input = { units, deadlineSeconds: objective.deadlineSeconds, arrivals, profile };
    this.#kernel = new Kernel(this.#input);
    const profiles = units.flatMap((unit) => unit.profiles);
    this.#hasShared = profiles.some(({ shared = [] }) => shared.length > 0);
    const known = new Map(profiles.map((row) => [keyOf(row.configuration), row.configuration]));
    this.configurations = [...known.values()].filter(
      ({ intraOp, stageCount }) => intraOp * stageCount <= this.deviceCount,
    );
    for (const configuration of known.values())
      this.#unitBytes.set(
        keyOf(configuration),
        units.map((unit) =>
          Math.max(...(profileOf(unit, configuration)?.stageBytes ?? [Infinity])),
        ),
      );
  }

  get runCount(): number {
    return this.#runCount;
  }

  /** Requests in all runs so far; a run that is cut short counts as far as it went. */
  get simulatedCount(): number {
    return this.#simulatedCount;
  }

  get requestCount(): number {
    return this.#input.arrivals.seconds.length;
  }

  /** A judge of the requests for these units alone. */
  narrowedTo(units: readonly number[]): Judge {
    const { arrivals } = this.#planning;
    const isOne = new Set(units);
    const indices = arrivals.units.keys();
    const kept = Uint32Array.from(
      [...indices].filter((index) => isOne.has(arrivals.units[index] ?? -1)),
    );
    const seconds = Float64Array.from(kept, (index) => arrivals.seconds[index] ?? 0);
    const ofUnits = Uint32Array.from(kept, (index) => arrivals.units[index] ?? 0);
    return new Judge({ ...this.#planning, arrivals: { seconds, units: ofUnits } });
  }

  judge(groups: readonly PlacedGroup[]): Candidate {
    return { groups, counts: this.#run(groups, Infinity) };
  }

  /** Undefined if it is not better; that is known sooner than how good it is. */
  improve(groups: readonly PlacedGroup[], best: Counts): Candidate | undefined {
    const counts = this.#run(groups, best.requestCount - best.goodCount);
    const isWhole = counts.requestCount === best.requestCount;
    return isWhole && isBetter(counts, best) ? { groups, counts } : undefined;
  }

  /** Whether the units fit into the memory of the group's devices. */
  fits({ configuration, deviceBytes }: DeviceGroup, units: readonly number[]): boolean {
    if (this.#hasShared) {
      const placed = units.flatMap((unit) => this.problem.units[unit] ?? []);
      return groupBytes(placed, configuration) <= deviceBytes;
    }
    const bytes = this.#unitBytes.get(keyOf(configuration)) ?? [];
    let sum = 0;
    for (const unit of units) sum += bytes[unit] ?? Infinity;
    return sum <= deviceBytes;
  }

  #run(groups: readonly PlacedGroup[], missCountMax: number): Counts {
    const { isBatching = false } = this.#planning;
    const counts = isBatching ? this.#batch(groups) : this.#kernel.run(groups, { missCountMax });
    this.#runCount += 1;
    this.#simulatedCount += counts.requestCount;
    return counts;
  }

  #batch(layouts: readonly PlacedGroup[]): Counts {
    const { arrivals, units } = this.#input;
    const outcomes = simulateBatching({ ...this.#input, layouts });
    const size = { unitCount: units.length, groupCount: layouts.length };
    const report = reportOf(arrivals, outcomes, size);
    return {
      requestCount: report.requestCount,
      goodCount: report.goodCount,
      servedSeconds: report.meanSeconds * report.goodCount,
      unitRequests: Uint32Array.from(report.units, ({ requestCount }) => requestCount),
      unitGood: Uint32Array.from(report.units, ({ goodCount }) => goodCount),
      groupRequests: Uint32Array.from(report.groups, ({ requestCount }) => requestCount),
      groupGood: Uint32Array.from(report.groups, ({ goodCount }) => goodCount),
    };
  }
}

/** Distinct, since no group has so many stages. */
function keyOf({ intraOp, stageCount }: Configuration): number {
  return intraOp * 65_536 + stageCount;
}
