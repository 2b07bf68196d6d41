/** The claims of Strata that are measured; each has a file beside this one. */
import { StrataError } from "../src/foundation/errors.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { benchAccuracy } from "./accuracy.ts";
import { benchAccuracyHierarchical } from "./accuracy-hierarchical.ts";
import { benchCapacity } from "./capacity.ts";
import { benchGraph } from "./graph.ts";
import { benchHierarchy } from "./hierarchy.ts";
import { benchHeadline } from "./headline.ts";
import { benchHonest } from "./honest.ts";
import { benchHttp } from "./http.ts";
import { benchLatency } from "./latency.ts";
import { benchLives } from "./lives.ts";
import { benchKinds } from "./kinds.ts";
import { benchMixed } from "./mixed.ts";
import { benchMultiplexing } from "./multiplexing.ts";
import { benchOverload } from "./overload.ts";
import { benchSearch } from "./search.ts";
import { benchSimulator } from "./simulator.ts";
import { benchTrain } from "./train.ts";

const benches: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = {
  graph: benchGraph,
  train: benchTrain,
  kinds: benchKinds,
  mixed: benchMixed,
  http: benchHttp,
  latency: benchLatency,
  overload: benchOverload,
  accuracy: benchAccuracy,
  hierarchy: benchHierarchy,
  accuracyHierarchical: benchAccuracyHierarchical,
  capacity: benchCapacity,
  simulator: benchSimulator,
  search: benchSearch,
  headline: benchHeadline,
  multiplexing: benchMultiplexing,
  honest: benchHonest,
  lives: benchLives,
};

export const claims: readonly string[] = Object.keys(benches);

/** INVALID_ARGUMENT for an unknown claim. */
export async function runBench(claim: string, options: BenchOptions): Promise<BenchResult> {
  const run = benches[claim];
  if (run === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot measure "${claim}": expected one of ${claims.join(", ")}`,
    );
  return { claim, ...(await run(options)) };
}
