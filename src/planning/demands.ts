/** How often models are asked for: by their rates, or by a trace that is dealt out to them. */
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { SeededRandom } from "../foundation/random.ts";
import {
  dealFunctions,
  type Dealing,
  demandOfCounts,
  fitDemand,
  mergeArrivals,
  scaleDemand,
  steadyDemand,
} from "../placement/demand.ts";
import type { Arrivals, Demand, Load } from "../placement/placement.ts";
import type { Model } from "./model-file.ts";
import type { Scenario } from "./planning.ts";
import { faultOf, type Source, type Trace } from "./trace-file.ts";

export interface DemandOptions {
  readonly models: readonly Model[];
  /** The window over which a trace's rate and burstiness are taken as constant. */
  readonly windowSeconds: number;
  /**
   * How long the arrivals last that rates stand for; undefined takes enough to tell plans apart.
   */
  readonly durationSeconds: number | undefined;
  readonly trace?: DealtTrace;
  readonly seed: number;
}

export interface DealtTrace extends Trace {
  /** Names the file in errors. */
  readonly what: string;
  /** How functions are dealt out to models; by default their names are the models'. */
  readonly dealing?: Dealing | undefined;
}

/** INVALID_ARGUMENT or TOO_LARGE says what is wrong with the file. */
export function demandOf(options: DemandOptions): Pick<Scenario, "demand" | "history"> {
  const { trace } = options;
  const { demand, history } =
    trace === undefined
      ? { demand: ratedDemand(options), history: undefined }
      : trace.kind === "counts"
        ? { demand: countedDemand(options, trace), history: undefined }
        : timedDemand(options, trace);
  const requestCount = totalRateOf(demand) * durationSecondsOf(demand);
  if (!(requestCount <= limits.planRequestCountMax))
    throw new StrataError(
      "TOO_LARGE",
      `Cannot plan: expected at most ${limits.planRequestCountMax} requests, ` +
        `got about ${requestCount.toPrecision(3)}`,
    );
  return { demand: bounded(demand), ...(history === undefined ? {} : { history }) };
}

/** The rate of all units, over all windows. */
export function totalRateOf({ loads }: Demand): number {
  return loads.reduce((sum, windows) => sum + meanRateOf(windows), 0);
}

export function meanRateOf(windows: readonly Load[]): number {
  return windows.reduce((sum, { rate }) => sum + rate, 0) / Math.max(1, windows.length);
}

/** Each window weighs as much as it has requests. */
export function meanCvOf(windows: readonly Load[]): number {
  const rate = windows.reduce((sum, load) => sum + load.rate, 0);
  return rate === 0 ? 1 : windows.reduce((sum, load) => sum + load.cv * load.rate, 0) / rate;
}

/** No more bursty than arrivals can be drawn from. */
export function bounded(demand: Demand): Demand {
  const isBounded = demand.loads.flat().every(({ cv }) => cv <= limits.planCvMax);
  if (isBounded) return demand;
  const bound = ({ rate, cv }: Load): Load => ({ rate, cv: Math.min(cv, limits.planCvMax) });
  return { ...demand, loads: demand.loads.map((windows) => windows.map(bound)) };
}

export function scaled(demand: Demand, factors: { rate?: number; cv?: number }): Demand {
  return bounded(scaleDemand(demand, factors));
}

function durationSecondsOf({ loads, windowSeconds }: Demand): number {
  return windowSeconds * Math.max(1, ...loads.map(({ length }) => length));
}

/** Fewer requests leave it to chance which plan is better. */
const requestCountMin = 10_000;
const secondsMin = 600;
const secondsMax = 24 * 3600;

function ratedDemand({ models, durationSeconds }: DemandOptions): Demand {
  const loads = models.map(loadOf);
  const rate = loads.reduce((sum, load) => sum + load.rate, 0);
  const enough = Math.min(secondsMax, Math.max(secondsMin, requestCountMin / rate));
  return steadyDemand(loads, durationSeconds ?? enough);
}

function loadOf({ load, unit }: Model): Load {
  if (load !== undefined) return load;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot plan for "${unit.name}": expected a rate, or a trace`,
    { field: "rate" },
  );
}

function countedDemand(options: DemandOptions, trace: DealtTrace): Demand {
  const { models } = options;
  const bucketSeconds = 60;
  const windowSeconds = Math.max(1, Math.round(options.windowSeconds / 60)) * bucketSeconds;
  const ofUnits = deal(models, trace).map((dealt) =>
    Array.from({ length: dealt[0]?.values.length ?? 0 }, (_, minute) =>
      dealt.reduce((sum, { values }) => sum + (values[minute] ?? 0), 0),
    ),
  );
  const demand = demandOfCounts(ofUnits, { bucketSeconds, windowSeconds, cv: 1 });
  const cvOf = (unit: number): number => models[unit]?.load?.cv ?? 1;
  const loads = demand.loads.map((windows, unit) =>
    windows.map(({ rate }) => ({ rate, cv: cvOf(unit) })),
  );
  return { windowSeconds, loads };
}

function timedDemand(
  options: DemandOptions,
  trace: DealtTrace,
): { demand: Demand; history: Arrivals } {
  const { models, windowSeconds } = options;
  const history = trace.sources.some(({ name }) => name === undefined)
    ? thinned(options, trace.sources)
    : mergeArrivals(deal(models, trace).map((dealt) => dealt.flatMap(({ values }) => values)));
  const windowCount = Math.floor((history.seconds.at(-1) ?? 0) / windowSeconds) + 1;
  if (windowCount * models.length > limits.planWindowCountMax)
    throw new StrataError(
      "TOO_LARGE",
      `Cannot plan for "${trace.what}": expected at most ${limits.planWindowCountMax} windows of ` +
        `all models, got ${windowCount} of ${windowSeconds} s each`,
    );
  const durationSeconds = windowCount * windowSeconds;
  const fit = { unitCount: models.length, windowSeconds, durationSeconds };
  return { demand: fitDemand(history, fit), history };
}

/** What each model gets of the trace. */
function deal(
  models: readonly Model[],
  { kind, sources, dealing, what }: DealtTrace,
): readonly (readonly Source[])[] {
  if (dealing !== undefined) {
    const counts = sources.map(({ values }) =>
      kind === "counts" ? values.reduce((a, b) => a + b, 0) : values.length,
    );
    return dealFunctions(counts, models.length, dealing).map((dealt) =>
      dealt.flatMap((index) => sources[index] ?? []),
    );
  }
  const names = new Map(models.map(({ unit }, index) => [unit.name, index]));
  const dealt = models.map((): Source[] => []);
  for (const source of sources) {
    const own = dealt[names.get(source.name ?? "") ?? -1];
    if (own === undefined)
      throw faultOf(
        what,
        source.line,
        `there is no model "${source.name}"; functions are dealt out to models by --deal`,
      );
    own.push(source);
  }
  return dealt;
}

/** Each request asks for a model by chance, in proportion to the models' rates where they have. */
function thinned({ models, seed }: DemandOptions, sources: readonly Source[]): Arrivals {
  const isRated = models.every(({ load }) => load !== undefined);
  let sum = 0;
  const sums = Float64Array.from(models, ({ load }) => (sum += isRated ? (load?.rate ?? 0) : 1));
  const random = new SeededRandom(seed);
  const seconds = Float64Array.from(sources.flatMap(({ values }) => values));
  const units = Uint32Array.from(seconds, () => firstAbove(sums, random.uniform() * sum));
  return { seconds, units };
}

/** Index into ascending values. */
function firstAbove(values: Float64Array, bound: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) > bound) high = middle;
    else low = middle + 1;
  }
  return low;
}
