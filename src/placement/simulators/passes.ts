/**
 * The inner loops of the kernel, over typed arrays alone. They are written for the machine:
 * columns instead of records, indices instead of objects, and nothing is allocated per request.
 */
import type { Outcomes } from "../placement.ts";

/** Which groups host a unit, and where its stage times there are. */
export interface Hosts {
  /** [unit + 1] into the next two. */
  readonly firstHost: Uint32Array;
  readonly hostGroups: Uint32Array;
  /** The places of each host's stage times. */
  readonly hostTimes: Uint32Array;
}

export interface Clocks {
  /** The time at which each stage of each group is free. */
  readonly clocks: Float64Array;
  /** The places of each group's clocks, [group + 1]. */
  readonly firstClock: Uint32Array;
  /**
   * The time at which the last stage of each group is free: what dispatch looks at, side by side.
   */
  readonly lastClocks: Float64Array;
}

export interface Counters {
  /** Requests sent there, and those in time, by unit and by group. */
  readonly unitRequests: Uint32Array;
  readonly unitGood: Uint32Array;
  readonly groupRequests: Uint32Array;
  readonly groupGood: Uint32Array;
}

export interface Pass {
  readonly hosts: Hosts;
  readonly clocks: Clocks;
  readonly counters: Counters;
  readonly outcomes: Outcomes;
  readonly arrivalSeconds: Float64Array;
  readonly arrivalUnits: Uint32Array;
  /** Requests [from, until). */
  readonly from: number;
  readonly until: number;
  /**
   * The seconds of the good ones before them: adding to it makes a run in parts the same to the
   * last bit.
   */
  readonly servedSeconds: number;
  /** Each unit has one. */
  readonly deadlines: Float64Array;
  /** What each request takes beside its stages. */
  readonly fixedSeconds: number;
  /** What admission takes that to be, at least as much: with its slack. */
  readonly predictedSeconds: number;
  readonly stageTimes: Float64Array;
}

/** One clock per stage. Returns the sum of the good requests' times so far. */
export function passStages(pass: Pass): number {
  const { hosts, arrivalSeconds, arrivalUnits, deadlines, until } = pass;
  const { fixedSeconds, predictedSeconds } = pass;
  const { clocks, firstClock, lastClocks } = pass.clocks;
  const { hostGroups, hostTimes } = hosts;
  const times = pass.stageTimes;
  const passed = new Float64Array(clocks.length);
  let { servedSeconds } = pass;
  for (let request = pass.from; request < until; request++) {
    const arrival = f64(arrivalSeconds, request);
    const unit = u32(arrivalUnits, request);
    const host = earliestHost(hosts, lastClocks, unit);
    if (host < 0) {
      reject(pass, request, -1);
      continue;
    }
    const group = u32(hostGroups, host);
    const clockStart = u32(firstClock, group);
    const stageCount = u32(firstClock, group + 1) - clockStart;
    const timeStart = u32(hostTimes, host);
    let time = arrival;
    for (let stage = 0; stage < stageCount; stage++) {
      const free = f64(clocks, clockStart + stage);
      time = Math.max(free, time) + f64(times, timeStart + stage);
      passed[stage] = time;
    }
    if (time + predictedSeconds - arrival > f64(deadlines, unit)) {
      reject(pass, request, group);
      continue;
    }
    for (let stage = 0; stage < stageCount; stage++)
      clocks[clockStart + stage] = f64(passed, stage);
    lastClocks[group] = time;
    const finish = time + fixedSeconds;
    accept(pass, request, { group, finish });
    servedSeconds += finish - arrival;
  }
  return servedSeconds;
}

/**
 * One clock per group, which a request moves by its slowest stage: AlpaServe's older and coarser
 * rule. Returns the sum of the good requests' times so far.
 */
export function passGroups(pass: Pass): number {
  const { hosts, clocks, arrivalSeconds, arrivalUnits, deadlines, stageTimes } = pass;
  const { firstClock, lastClocks } = clocks;
  let { servedSeconds } = pass;
  for (let request = pass.from; request < pass.until; request++) {
    const arrival = f64(arrivalSeconds, request);
    const unit = u32(arrivalUnits, request);
    const host = earliestHost(hosts, lastClocks, unit);
    const group = host < 0 ? -1 : u32(hosts.hostGroups, host);
    const stageCount = host < 0 ? 0 : u32(firstClock, group + 1) - u32(firstClock, group);
    const timeStart = u32(hosts.hostTimes, host);
    const start = Math.max(arrival, f64(lastClocks, group));
    let [all, slowest] = [0, 0];
    for (let stage = 0; stage < stageCount; stage++) {
      const time = f64(stageTimes, timeStart + stage);
      all += time;
      slowest = Math.max(slowest, time);
    }
    const predicted = start + all + pass.predictedSeconds;
    if (host < 0 || predicted - arrival > f64(deadlines, unit)) {
      reject(pass, request, group);
      continue;
    }
    lastClocks[group] = start + slowest;
    const finish = start + all + pass.fixedSeconds;
    accept(pass, request, { group, finish });
    servedSeconds += finish - arrival;
  }
  return servedSeconds;
}

/** The host whose last stage is free first; the first one of those; -1 if there is none. */
function earliestHost(
  { firstHost, hostGroups }: Hosts,
  lastClocks: Float64Array,
  unit: number,
): number {
  const end = u32(firstHost, unit + 1);
  let best = -1;
  let earliest = Infinity;
  for (let host = u32(firstHost, unit); host < end; host++) {
    const clock = f64(lastClocks, u32(hostGroups, host));
    if (clock < earliest) {
      earliest = clock;
      best = host;
    }
  }
  return best;
}

function accept(pass: Pass, request: number, to: { group: number; finish: number }): void {
  const { outcomes, counters, arrivalUnits } = pass;
  outcomes.isGood[request] = 1;
  outcomes.finishSeconds[request] = to.finish;
  outcomes.groups[request] = to.group;
  const unit = u32(arrivalUnits, request);
  count(counters.unitRequests, unit);
  count(counters.unitGood, unit);
  count(counters.groupRequests, to.group);
  count(counters.groupGood, to.group);
}

function reject(pass: Pass, request: number, group: number): void {
  const { outcomes, counters } = pass;
  outcomes.isGood[request] = 0;
  outcomes.finishSeconds[request] = f64(pass.arrivalSeconds, request);
  outcomes.groups[request] = group;
  count(counters.unitRequests, u32(pass.arrivalUnits, request));
  if (group >= 0) count(counters.groupRequests, group);
}

function count(counts: Uint32Array, index: number): void {
  counts[index] = u32(counts, index) + 1;
}

// Reads within bounds: the machine checks them, and the compiler wants a number.

export function f64(column: Float64Array, index: number): number {
  return column[index] ?? 0;
}

export function u32(column: Uint32Array, index: number): number {
  return column[index] ?? 0;
}
