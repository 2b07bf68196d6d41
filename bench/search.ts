/**
 * Claim `search`: the placements that are found serve more in time than those of the reference's
 * own search, on its own requests, and no less than the best that trying all would find.
 */
import { availableParallelism } from "node:os";
import { systemClock } from "../src/foundation/clock.ts";
import { assert } from "../src/foundation/assert.ts";
import { SearchPool } from "../src/commands/search/search-pool.ts";
import { drawArrivals, steadyDemand } from "../src/placement/demand.ts";
import type { Planning } from "../src/placement/judge.ts";
import { alpaserveProfile } from "../src/placement/placement.ts";
import { search, type SearchResult } from "../src/placement/search/search.ts";
import { verify } from "../src/placement/verify.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, round, spreadOf } from "./measure.ts";
import {
  clusterOf,
  placementCases,
  readPublishedRows,
  readSearchCases,
  type PublishedRow,
  type SearchCase,
} from "./placement-cases.ts";

/** So many of the published cases with room for more are searched in a quick run. */
const quickCaseCount = 3;
const quickSeconds = 10;

export async function benchSearch({ isQuick }: BenchOptions): Promise<BenchResult> {
  const folder = placementCases();
  if (folder === undefined) return { skipped: "the reference cases are not beside this checkout" };
  const rows = readPublishedRows(folder);
  const small = readSearchCases(folder);
  const published = publishedCases(rows);
  // Where the reference serves all there is nothing to gain: a quick run leaves these out.
  const open = published.filter((reference) => bestOf(reference) < 0.98);
  const chosen = isQuick ? evenly(open, quickCaseCount) : published;
  const outcomes: Outcome[] = [];
  for (const reference of small) outcomes.push(await measureCase(reference));
  for (const reference of chosen)
    outcomes.push(await measureCase(reference, isQuick ? quickSeconds : undefined));
  const gains = outcomes.map(({ gain }) => gain);
  const ofExhaustive = outcomes.flatMap(({ vsExhaustive }) => vsExhaustive ?? []);
  const bucket = await measureBuckets(rows, isQuick);
  return {
    worstCase: round(Math.min(...gains)),
    meanGain: round(gains.reduce((a, b) => a + b, 0) / gains.length),
    vsExhaustiveMin: round(Math.min(...ofExhaustive)),
    bucketSeconds: bucket?.seconds,
    targets: { worstCase: -0.002, meanGain: 0, vsExhaustiveMin: 0.99, bucketSeconds: 10 },
    cases: outcomes.length,
    casesSmall: small.length,
    gain: spreadOf(gains),
    worst: outcomes.toSorted((a, b) => a.gain - b.gain).slice(0, 3),
    bucket,
    howMeasured:
      "share in time of all requests, minus the best that a policy of the reference with one " +
      "placement for all time reaches on the same requests; published cases on all cores. " +
      "bucketSeconds: the whole search, wall clock, on 30,000 drawn requests",
    machine: machine(),
  };
}

interface Outcome {
  readonly name: string;
  readonly reference: number;
  readonly attainment: number;
  readonly gain: number;
  readonly vsExhaustive?: number;
}

async function measureCase(reference: SearchCase, seconds?: number): Promise<Outcome> {
  const { name, planning, exhaustive } = reference;
  const { attainment } = await searched(planning, seconds);
  const best = bestOf(reference);
  return {
    name,
    reference: round(best),
    attainment: round(attainment),
    gain: attainment - best,
    ...(exhaustive !== undefined && { vsExhaustive: attainment / exhaustive }),
  };
}

/** Searches on all cores; INTERNAL would be a plan that breaks a rule. */
async function searched(planning: Planning, seconds?: number): Promise<SearchResult> {
  const pool = new SearchPool(planning, availableParallelism());
  try {
    const options = { clock: systemClock, runTask: pool.run };
    const result = await search(planning, {
      ...options,
      ...(seconds !== undefined && { seconds }),
    });
    assert(verify(result.plan, planning.problem).length === 0, "a plan breaks no rule");
    return result;
  } finally {
    await pool.close();
  }
}

/** Policies that place anew in every window are no search for one placement. */
function bestOf({ reached }: SearchCase): number {
  const policies = Object.keys(reached).filter((policy) => !policy.startsWith("sr_replace"));
  return Math.max(...policies.map((policy) => reached[policy] ?? 0));
}

/** One for each problem on which the reference searched. */
function publishedCases(rows: readonly PublishedRow[]): readonly SearchCase[] {
  const cases = new Map<string, SearchCase>();
  for (const row of rows) {
    const { types, workload, sloScale, deviceCount, deviceBytes } = row;
    const name = `${types.length} models ${deviceCount} devices slo ${sloScale} ${workload}`;
    const { reached } = cases.get(name) ?? { reached: {} };
    const { units, deadlineSeconds, arrivals } = row.scene;
    const cluster = clusterOf(deviceCount, deviceBytes);
    const problem = { units, cluster, objective: { deadlineSeconds, attainment: 1 } };
    cases.set(name, {
      name,
      planning: { problem, arrivals, profile: alpaserveProfile },
      reached: { ...reached, [row.policy]: row.attainmentOfAll },
    });
  }
  const isSearched = ({ reached }: SearchCase): boolean =>
    Object.keys(reached).some((policy) => policy.startsWith("mp-search"));
  return [...cases.values()].filter(isSearched);
}

interface BucketRun {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly requestCount: number;
  readonly simulations: number;
  readonly attainment: number;
  readonly workers: number;
}

/** There are many requests, as the reference's own 21 seconds have. */
const bucketRequestCount = 30_000;
const bucketLoad = { rate: 64, cv: 4, exponent: 0.5 };

async function measureBuckets(
  rows: readonly PublishedRow[],
  isQuick: boolean,
): Promise<BucketRun | undefined> {
  const row = rows.find(
    ({ types, deviceCount, sloScale }) =>
      types.length === 60 && deviceCount === 32 && sloScale === 5,
  );
  if (row === undefined) return undefined;
  const { units, deadlineSeconds } = row.scene;
  const shares = units.map((_, unit) => (unit + 1) ** -bucketLoad.exponent);
  const sum = shares.reduce((a, b) => a + b, 0);
  const { rate, cv } = bucketLoad;
  const loads = shares.map((share) => ({ rate: (rate * share) / sum, cv }));
  const arrivals = drawArrivals(steadyDemand(loads, bucketRequestCount / rate), 1);
  const cluster = clusterOf(row.deviceCount, row.deviceBytes);
  const problem = { units, cluster, objective: { deadlineSeconds, attainment: 1 } };
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const planning = { problem, arrivals, profile: alpaserveProfile };
  // A quick run on a busy machine is cut, and says so by its seconds.
  const result = await searched(planning, isQuick ? 2 * quickSeconds : undefined);
  const { user, system } = process.cpuUsage(cpu);
  return {
    seconds: round((performance.now() - start) / 1000),
    cpuSeconds: round((user + system) / 1e6),
    requestCount: arrivals.seconds.length,
    simulations: result.runCount,
    attainment: round(result.attainment),
    workers: availableParallelism(),
  };
}

function evenly<T>(values: readonly T[], count: number): readonly T[] {
  const step = Math.max(1, Math.floor(values.length / count));
  return values.filter((_, index) => index % step === 0).slice(0, count);
}
