/** What the outcomes of a simulation, or of a run of the real thing, come to. */
import type { Arrivals, Outcomes, Report, Tally } from "./placement.ts";

export interface ReportOptions {
  readonly unitCount: number;
  readonly groupCount: number;
  /** Left out at each end, where queues fill and drain; cut by count, at the mean rate. */
  readonly trimSeconds?: number;
}

export function reportOf(arrivals: Arrivals, outcomes: Outcomes, options: ReportOptions): Report {
  const count = arrivals.seconds.length;
  const { unitCount, groupCount, trimSeconds = 0 } = options;
  const seconds = (arrivals.seconds.at(-1) ?? 0) - (arrivals.seconds[0] ?? 0);
  const trimCount = seconds > 0 ? Math.trunc((trimSeconds / seconds) * count) : 0;
  const units = Array.from({ length: unitCount }, () => ({ requestCount: 0, goodCount: 0 }));
  const groups = Array.from({ length: groupCount }, () => ({ requestCount: 0, goodCount: 0 }));
  const served: number[] = [];
  for (let request = trimCount; request < count - trimCount; request++) {
    const isGood = outcomes.isGood[request] === 1;
    const took = (outcomes.finishSeconds[request] ?? 0) - (arrivals.seconds[request] ?? 0);
    if (isGood) served.push(took);
    add(units[arrivals.units[request] ?? 0], isGood);
    add(groups[outcomes.groups[request] ?? -1], isGood);
  }
  const requestCount = Math.max(0, count - 2 * trimCount);
  const sorted = Float64Array.from(served).sort();
  const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return {
    requestCount,
    goodCount: served.length,
    // Nobody who asked was missed.
    attainment: requestCount === 0 ? 1 : served.length / requestCount,
    meanSeconds: served.reduce((a, b) => a + b, 0) / Math.max(1, served.length),
    p50Seconds: quantile(0.5),
    p99Seconds: quantile(0.99),
    units,
    groups,
  };
}

function add(tally: { -readonly [K in keyof Tally]: Tally[K] } | undefined, isGood: boolean): void {
  if (tally === undefined) return;
  tally.requestCount += 1;
  tally.goodCount += Number(isGood);
}
