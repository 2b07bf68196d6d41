/**
 * The simulator of the search: one pass over the arrivals on arrays, nothing allocated per
 * request. A group has a clock per stage, which says when the stage is free. A request goes to
 * the hosting group whose last stage is free first, passes the stages, and moves the clocks only
 * if it is in time; otherwise it is rejected. `simulate` in `events.ts` is the same without these
 * shortcuts.
 */
import { assert, present } from "../../foundation/assert.ts";
import { linkSecondsOf } from "../devices.ts";
import {
  type Clocks,
  type Counters,
  type Hosts,
  type Pass,
  passGroups,
  passStages,
  u32,
} from "./passes.ts";
import {
  type Arrivals,
  type Configuration,
  type Outcomes,
  type Plan,
  type Problem,
  profileOf,
  type SimulationProfile,
  stageSeconds,
  type Tally,
  type Unit,
} from "../placement.ts";

/** A group of a plan without its devices. */
export interface Layout {
  readonly configuration: Configuration;
  /** Indices; each must have a profile of the configuration. */
  readonly units: readonly number[];
  /** Handing a request to each stage costs this beside what was measured, [stageCount]. */
  readonly linkSeconds?: readonly number[];
}

export interface KernelInput {
  readonly units: readonly Unit[];
  /** Each unit has one. */
  readonly deadlineSeconds: readonly number[];
  readonly arrivals: Arrivals;
  readonly profile: SimulationProfile;
}

export interface RunOptions {
  /** Requests [from, until); all by default. */
  readonly from?: number;
  readonly until?: number;
  /** AlpaServe's older, coarser rule: a group is one clock, which its slowest stage moves. */
  readonly isSingleStage?: boolean;
  /** Stops after a part of the requests once more than these were missed; Infinity by default. */
  readonly missCountMax?: number;
}

/** The number of parts into which a run with a limit is cut. */
const partCount = 16;

/** Counts of one run, of the requests up to where it stopped. */
export interface Counts extends Tally, Counters {
  /** Sum over the good ones, from arrival to answer. */
  readonly servedSeconds: number;
}

/** Holds what the runs over one set of arrivals share; a run overwrites the last one's outcomes. */
export class Kernel {
  readonly outcomes: Outcomes;
  readonly #input: KernelInput;
  readonly #deadlines: Float64Array;
  readonly #fixedSeconds: number;
  readonly #predictedSeconds: number;
  /** Stage times of every unit in every configuration that was asked for, one after the other. */
  #stageTimes = new Float64Array(0);
  /** The place where those of a configuration begin. */
  readonly #tables = new Map<string, number>();

  constructor(input: KernelInput) {
    const { arrivals, profile } = input;
    const count = arrivals.seconds.length;
    this.#input = input;
    this.#deadlines = Float64Array.from(input.deadlineSeconds, rounding(profile));
    const { receiveSeconds, dispatchSeconds, startSeconds, slackSeconds } = profile;
    this.#fixedSeconds = receiveSeconds + dispatchSeconds + startSeconds;
    this.#predictedSeconds =
      receiveSeconds + dispatchSeconds + Math.max(startSeconds, slackSeconds);
    this.outcomes = {
      isGood: new Uint8Array(count),
      finishSeconds: new Float64Array(count),
      groups: new Int32Array(count),
    };
  }

  run(layouts: readonly Layout[], options: RunOptions = {}): Counts {
    const { arrivals, units } = this.#input;
    const { from = 0, until = arrivals.seconds.length, isSingleStage = false } = options;
    const { missCountMax = Infinity } = options;
    const counters: Counters = {
      unitRequests: new Uint32Array(units.length),
      unitGood: new Uint32Array(units.length),
      groupRequests: new Uint32Array(layouts.length),
      groupGood: new Uint32Array(layouts.length),
    };
    const all: Omit<Pass, "from" | "until" | "servedSeconds"> = {
      hosts: this.#hosts(layouts),
      clocks: clocksOf(layouts),
      counters,
      outcomes: this.outcomes,
      arrivalSeconds: arrivals.seconds,
      arrivalUnits: arrivals.units,
      deadlines: this.#deadlines,
      fixedSeconds: this.#fixedSeconds,
      predictedSeconds: this.#predictedSeconds,
      stageTimes: this.#stageTimes,
    };
    const pass = isSingleStage ? passGroups : passStages;
    const isLimited = missCountMax < until - from;
    const partLength = isLimited ? Math.ceil((until - from) / partCount) : until - from;
    let [end, goodCount, servedSeconds] = [from, 0, 0];
    while (end < until && end - from - goodCount <= missCountMax) {
      const start = end;
      end = Math.min(until, start + partLength);
      servedSeconds = pass({ ...all, from: start, until: end, servedSeconds });
      goodCount = counters.unitGood.reduce((sum, count) => sum + count, 0);
    }
    return { requestCount: end - from, goodCount, servedSeconds, ...counters };
  }

  /** Each unit's hosting groups in order, and where its stage times there begin. */
  #hosts(layouts: readonly Layout[]): Hosts {
    const unitCount = this.#input.units.length;
    const offsets = layouts.map((layout) => this.#table(layout));
    const first = new Uint32Array(unitCount + 1);
    for (const { units } of layouts)
      for (const unit of units) first[unit + 1] = u32(first, unit + 1) + 1;
    for (let unit = 0; unit < unitCount; unit++)
      first[unit + 1] = u32(first, unit + 1) + u32(first, unit);
    const hostCount = u32(first, unitCount);
    const [groups, times] = [new Uint32Array(hostCount), new Uint32Array(hostCount)];
    const next = first.slice();
    for (const [group, { configuration, units }] of layouts.entries())
      for (const unit of units) {
        const host = u32(next, unit);
        next[unit] = host + 1;
        groups[host] = group;
        const start = (offsets[group] ?? 0) + unit * configuration.stageCount;
        assert(!Number.isNaN(this.#stageTimes[start]), `unit ${unit} runs as it was profiled`);
        times[host] = start;
      }
    return { firstHost: first, hostGroups: groups, hostTimes: times };
  }

  /**
   * The place where the stage times of the layout's configuration begin; adds them if they are new.
   */
  #table({ configuration, linkSeconds = [] }: Layout): number {
    const { intraOp, stageCount } = configuration;
    const key = [intraOp, stageCount, ...linkSeconds].join(" ");
    const known = this.#tables.get(key);
    if (known !== undefined) return known;
    const { units, profile } = this.#input;
    const start = this.#stageTimes.length;
    const grown = new Float64Array(start + units.length * stageCount).fill(NaN, start);
    grown.set(this.#stageTimes);
    for (const [index, unit] of units.entries())
      if (profileOf(unit, configuration) !== undefined)
        grown.set(
          stageTimes(unit, { configuration, linkSeconds, profile }),
          start + index * stageCount,
        );
    this.#stageTimes = grown;
    this.#tables.set(key, start);
    return start;
  }
}

export interface StageOptions {
  readonly configuration: Configuration;
  readonly linkSeconds?: readonly number[];
  readonly profile: SimulationProfile;
  readonly batchSize?: number;
}

/** What a batch of the unit takes in each stage, with overheads; the unit must have a profile. */
export function stageTimes(unit: Unit, options: StageOptions): readonly number[] {
  const { configuration, profile, linkSeconds = [], batchSize = 1 } = options;
  const measured = present(profileOf(unit, configuration), `"${unit.name}" has no profile`);
  const factor = 1 + profile.stagePenalty * configuration.stageCount;
  const rounded = rounding(profile);
  return stageSeconds(measured, { batchSize, tokenCount: unit.tokenCount }).map((seconds, stage) =>
    rounded(seconds * factor + (linkSeconds[stage] ?? 0)),
  );
}

export function rounding({ isFloat32 }: SimulationProfile): (seconds: number) => number {
  return isFloat32 ? Math.fround : (seconds) => seconds;
}

function clocksOf(layouts: readonly Layout[]): Clocks {
  const firstClock = new Uint32Array(layouts.length + 1);
  for (const [group, { configuration }] of layouts.entries())
    firstClock[group + 1] = u32(firstClock, group) + configuration.stageCount;
  return {
    clocks: new Float64Array(u32(firstClock, layouts.length)),
    firstClock,
    lastClocks: new Float64Array(layouts.length),
  };
}

/** The groups of a plan that `verify` found nothing against. */
export function layoutsOf(plan: Plan, { units, cluster }: Omit<Problem, "objective">): Layout[] {
  const indices = new Map(units.map(({ name }, index) => [name, index]));
  return plan.groups.map(({ devices, configuration, units: names }) => ({
    configuration,
    units: names.map((name) => present(indices.get(name), `The plan names no unit "${name}"`)),
    linkSeconds: linkSecondsOf(devices, configuration, cluster),
  }));
}
