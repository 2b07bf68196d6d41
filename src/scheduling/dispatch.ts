/**
 * Which group serves a request, and whether in time: pure decisions over the groups' queues and
 * over the clocks of a pipeline's stages. The event simulator of `placement/` runs these very
 * functions; its kernel repeats them on arrays, and an exam bounds the difference.
 */

/** The first of `hosts` with the least load; undefined if there are none. */
export function dispatch<H>(hosts: Iterable<H>, loadOf: (host: H) => number): H | undefined {
  let best: H | undefined;
  let least = Infinity;
  for (const host of hosts) {
    const load = loadOf(host);
    if (load < least) [best, least] = [host, load];
  }
  return best;
}

/** What admission looks at; times in seconds on one clock. */
export interface Arrival {
  readonly nowSeconds: number;
  /** The time at which the answer must be there. */
  readonly deadlineSeconds: number;
  /** What it takes in each stage. */
  readonly stageSeconds: readonly number[];
  /** The time from the end of the last stage to the answer, and what is kept in reserve. */
  readonly slackSeconds: number;
}

export type Admission =
  | { readonly kind: "admitted"; readonly clocks: readonly number[] }
  | { readonly kind: "rejected" };

/**
 * Admits a request if it is predicted to be answered in time: it passes each stage when the stage
 * is free, first come first served. `clocks` say when each stage is free; they are replaced by
 * those of the admission (AlpaServe, section 4.3).
 */
export function admit(arrival: Arrival, clocks: readonly number[]): Admission {
  const { nowSeconds, deadlineSeconds, stageSeconds, slackSeconds } = arrival;
  let time = nowSeconds;
  const passed = stageSeconds.map((seconds, stage) => {
    time = Math.max(time, clocks[stage] ?? 0) + seconds;
    return time;
  });
  if (time + slackSeconds > deadlineSeconds) return { kind: "rejected" };
  return { kind: "admitted", clocks: passed };
}
