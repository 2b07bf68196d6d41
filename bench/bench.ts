/** Runs one claim of Strata and prints what it measured; one file per claim beside this one. */
import { StrataError } from "../src/foundation/errors.ts";
import { benchGraph } from "./graph.ts";
import { benchTrain } from "./train.ts";

export interface BenchOptions {
  /** Whether to stay below a minute. */
  readonly isQuick: boolean;
  /** Where base models are. */
  readonly cacheFolder: string;
}

export type BenchResult = Readonly<Record<string, unknown>>;

const claims: Readonly<Record<string, (options: BenchOptions) => Promise<BenchResult>>> = {
  graph: benchGraph,
  train: benchTrain,
};

/** INVALID_ARGUMENT for an unknown claim. */
export async function runBench(claim: string, options: BenchOptions): Promise<BenchResult> {
  const run = claims[claim];
  if (run === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot measure "${claim}": expected one of ${Object.keys(claims).join(", ")}`,
    );
  return { claim, ...(await run(options)) };
}
