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

interface Claim {
  readonly run: (options: BenchOptions) => Promise<BenchResult>;
  readonly meaning: string;
  /** What it roughly takes on two cores without `--quick`. */
  readonly time: string;
}

const benches: Readonly<Record<string, Claim>> = {
  graph: { run: benchGraph, meaning: "the encoder against a bare matrix product", time: "3 min" },
  train: { run: benchTrain, meaning: "a training step against its forward pass", time: "minutes" },
  kinds: { run: benchKinds, meaning: "a batch that mixes kinds of adapters", time: "3 min" },
  mixed: { run: benchMixed, meaning: "a batch of a thousand models against one's", time: "3 min" },
  http: { run: benchHttp, meaning: "what HTTP leaves of the engine's rate", time: "3 min" },
  latency: { run: benchLatency, meaning: "the longest wait that one user causes", time: "minutes" },
  overload: { run: benchOverload, meaning: "the rate kept past capacity", time: "5 min" },
  accuracy: { run: benchAccuracy, meaning: "adapters against training all weights", time: "4 h" },
  hierarchy: { run: benchHierarchy, meaning: "looking lower layers up: speed", time: "minutes" },
  accuracyHierarchical: {
    run: benchAccuracyHierarchical,
    meaning: "looking lower layers up: accuracy",
    time: "1.5 h",
  },
  capacity: { run: benchCapacity, meaning: "how many models a gigabyte holds", time: "minutes" },
  simulator: {
    run: benchSimulator,
    meaning: "our simulators against AlpaServe's",
    time: "minutes",
  },
  search: { run: benchSearch, meaning: "the placements found against AlpaServe's", time: "hours" },
  headline: { run: benchHeadline, meaning: "how far each way of placing goes", time: "hours" },
  multiplexing: {
    run: benchMultiplexing,
    meaning: "the simulator against two real processes",
    time: "minutes",
  },
  honest: { run: benchHonest, meaning: "figures that cannot be learned by heart", time: "hours" },
  lives: {
    run: benchLives,
    meaning: "lives of the whole server under simulation",
    time: "minutes",
  },
};

/** A line for each claim: its name, what it measures, and a rough time. */
export function claimLines(): string {
  return Object.entries(benches)
    .map(([name, { meaning, time }]) => `  ${name.padEnd(21)}${meaning.padEnd(45)}${time}`)
    .join("\n");
}

/** INVALID_ARGUMENT for an unknown claim. */
export async function runBench(claim: string, options: BenchOptions): Promise<BenchResult> {
  const bench = Object.hasOwn(benches, claim) ? benches[claim] : undefined;
  if (bench === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot measure "${claim}": expected one of ${Object.keys(benches).join(", ")}`,
    );
  return { claim, ...(await bench.run(options)) };
}
