/**
 * Placements that are made anew in every window of time and switched at no cost, with empty queues:
 * how AlpaServe describes Clockwork at its best (Clockwork++, section 6.1).
 */
import { present } from "../../foundation/assert.ts";
import { uniformReplication } from "./baselines.ts";
import { type Candidate, Judge, type Planning } from "../judge.ts";
import type { Arrivals, Tally } from "../placement.ts";

export interface ReplacementOptions {
  readonly windowSeconds: number;
  /**
   * What a window is planned from: its own arrivals, which nobody knows beforehand, as AlpaServe
   * does; or those of the window before, and the first one without any.
   */
  readonly knows: "future" | "past";
  readonly plan: (judge: Judge) => Candidate;
}

/**
 * Goes window by window, so that its caller may stop between two; returns the counts over all. A
 * window without arrivals leaves the last plan.
 */
export function* replacements(
  planning: Planning,
  options: ReplacementOptions,
): Generator<undefined, Tally> {
  const { windowSeconds, knows, plan } = options;
  let [requestCount, goodCount] = [0, 0];
  let placement: Candidate["groups"] | undefined;
  for (const arrivals of windowsOf(planning.arrivals, windowSeconds)) {
    const judge = new Judge({ ...planning, arrivals });
    const candidate =
      knows === "future"
        ? plan(judge)
        : placement === undefined
          ? uniformReplication(judge)
          : judge.judge(placement);
    const { counts } = candidate;
    requestCount += counts.requestCount;
    goodCount += counts.goodCount;
    if (knows === "past") placement = plan(judge).groups;
    yield;
  }
  return { requestCount, goodCount };
}

/** Those that have arrivals. */
function windowsOf({ seconds, units }: Arrivals, windowSeconds: number): readonly Arrivals[] {
  const windows: Arrivals[] = [];
  for (let from = 0; from < seconds.length;) {
    const start = present(seconds[from], "a window begins with an arrival");
    const end = (Math.floor(start / windowSeconds) + 1) * windowSeconds;
    let until = from + 1;
    while ((seconds[until] ?? Infinity) < end) until += 1;
    windows.push({ seconds: seconds.subarray(from, until), units: units.subarray(from, until) });
    from = until;
  }
  return windows;
}
