/**
 * Demand from traces, and arrivals from demand. A trace is cut into windows, a Gamma process is
 * fitted to each unit in each window, scaled, and drawn from again (AlpaServe, section 6.2): what
 * is kept of a trace is how fast and how bursty it is, not its moments.
 */
import { assert } from "../foundation/assert.ts";
import { type Random, SeededRandom } from "../foundation/random.ts";
import { fitGamma, gammaOf } from "./gamma.ts";
import type { Arrivals, Demand, Load } from "./placement.ts";

/** Merges each unit's arrival times in ascending order; those of one moment in the units' order. */
export function mergeArrivals(ofUnits: readonly ArrayLike<number>[]): Arrivals {
  const lengths = ofUnits.map(({ length }) => length);
  const starts = lengths.map((_, unit) => lengths.slice(0, unit).reduce((a, b) => a + b, 0));
  const count = lengths.reduce((a, b) => a + b, 0);
  const [seconds, units] = [new Float64Array(count), new Uint32Array(count)];
  for (const [unit, times] of ofUnits.entries()) {
    const start = starts[unit] ?? 0;
    seconds.set(times, start);
    units.fill(unit, start, start + times.length);
  }
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  order.sort((a, b) => (seconds[a] ?? 0) - (seconds[b] ?? 0) || a - b);
  return {
    seconds: Float64Array.from(order, (index) => seconds[index] ?? 0),
    units: Uint32Array.from(order, (index) => units[index] ?? 0),
  };
}

/** A trace's functions dealt to units: one in turn to each, or in blocks of neighbours. */
export type Dealing = "stripe" | "blocks";

/** The indices of each unit's functions; those without a request are left out beforehand. */
export function dealFunctions(
  requestCounts: readonly number[],
  unitCount: number,
  dealing: Dealing,
): readonly (readonly number[])[] {
  const active = [...requestCounts.keys()].filter((index) => (requestCounts[index] ?? 0) > 0);
  const large = active.length % unitCount;
  const blockLength = Math.floor(active.length / unitCount);
  return Array.from({ length: unitCount }, (_, unit) => {
    if (dealing === "stripe") return active.filter((_, position) => position % unitCount === unit);
    const start = unit * blockLength + Math.min(unit, large);
    return active.slice(start, start + blockLength + Number(unit < large));
  });
}

export interface CountOptions {
  /** The width of one count. */
  readonly bucketSeconds: number;
  /** A whole number of buckets. */
  readonly windowSeconds: number;
  /** Counts do not tell how bursty the arrivals are. */
  readonly cv: number;
}

/** The demand that requests per bucket, [unit][bucket], show. */
export function demandOfCounts(
  counts: readonly (readonly number[])[],
  { bucketSeconds, windowSeconds, cv }: CountOptions,
): Demand {
  const bucketCount = windowSeconds / bucketSeconds;
  assert(Number.isInteger(bucketCount), "a window is a whole number of buckets");
  const loads = counts.map((buckets) =>
    Array.from({ length: Math.ceil(buckets.length / bucketCount) }, (_, window): Load => {
      const own = buckets.slice(window * bucketCount, (window + 1) * bucketCount);
      return { rate: own.reduce((a, b) => a + b, 0) / windowSeconds, cv };
    }),
  );
  return { windowSeconds, loads };
}

export interface FitOptions {
  readonly unitCount: number;
  readonly windowSeconds: number;
  readonly durationSeconds: number;
}

/** Fits the times between arrivals by maximum likelihood. */
export function fitDemand(arrivals: Arrivals, options: FitOptions): Demand {
  const { unitCount, windowSeconds, durationSeconds } = options;
  const windowCount = Math.ceil(durationSeconds / windowSeconds);
  const times = Array.from({ length: unitCount }, () =>
    Array.from({ length: windowCount }, (): number[] => []),
  );
  for (const [index, seconds] of arrivals.seconds.entries())
    times[arrivals.units[index] ?? 0]?.[Math.floor(seconds / windowSeconds)]?.push(seconds);
  const loads = times.map((windows) => windows.map((window) => fitLoad(window, windowSeconds)));
  return { windowSeconds, loads };
}

/** It is added to the time between two arrivals, which may be 0 and has a logarithm in the fit. */
const gapSecondsMin = 1e-6;
/** A fit whose rate is this many times the counted one is not believed. */
const rateRatioMax = 5;

function fitLoad(times: readonly number[], windowSeconds: number): Load {
  const counted = times.length / windowSeconds;
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0) + gapSecondsMin);
  // One gap says nothing of how much gaps vary.
  if (gaps.length < 2) return { rate: counted, cv: 1 };
  const { shape, scale } = fitGamma(gaps);
  const rate = 1 / (shape * scale);
  return { rate: rate > rateRatioMax * counted ? counted : rate, cv: Math.sqrt(1 / shape) };
}

export function scaleDemand(demand: Demand, factors: { rate?: number; cv?: number }): Demand {
  const { rate = 1, cv = 1 } = factors;
  const scaled = (load: Load): Load => ({ rate: load.rate * rate, cv: load.cv * cv });
  return { ...demand, loads: demand.loads.map((windows) => windows.map(scaled)) };
}

/** The same demand in every window. */
export function steadyDemand(loads: readonly Load[], durationSeconds: number): Demand {
  return { windowSeconds: durationSeconds, loads: loads.map((load) => [load]) };
}

/** One seed gives one sequence; a unit's arrivals depend on its own loads alone. */
export function drawArrivals({ windowSeconds, loads }: Demand, seed: number): Arrivals {
  return mergeArrivals(
    loads.map((windows, unit) => {
      const random = new SeededRandom(seed, unit);
      return windows.flatMap((load, window) => {
        const start = window * windowSeconds;
        return drawWindow(load, windowSeconds, random).map((seconds) => start + seconds);
      });
    }),
  );
}

/**
 * A window looks into a process that has been going on: the first gap is what is left of one that
 * is met with a probability in proportion to its length (the inspection paradox). A process that
 * began with the window would bring (cv² - 1) / 2 requests too many.
 */
function drawWindow({ rate, cv }: Load, windowSeconds: number, random: Random): number[] {
  if (rate <= 0) return [];
  const shape = 1 / (cv * cv);
  const gap = (ofShape: number): number =>
    cv > 0 ? gammaOf(ofShape, random) / (shape * rate) : 1 / rate;
  const times: number[] = [];
  for (let time = random.uniform() * gap(shape + 1); time < windowSeconds; time += gap(shape))
    times.push(time);
  return times;
}
