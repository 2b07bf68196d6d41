/**
 * The instant head: closed form on the base's pooled features. Everything about it is chosen on
 * the training side alone, so that its figure on dev is one of texts that it has never seen.
 */
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { Pace } from "../foundation/pace.ts";
import type { Program } from "../runtime/runtime.ts";
import {
  type ContentSequences,
  evaluationShape,
  picked,
  sortedBatches,
  type Source,
  sourceFeeds,
} from "../learning/sequences.ts";
import { lowestOf } from "./evidence.ts";
import { type Head, rowWeights, type Weighting } from "../learning/ridge.ts";
import { solveInThread } from "../learning/ridge-solver.ts";
import type { TrainingBase } from "../learning/training-base.ts";

export interface InstantHead {
  readonly head: Head;
  /** Label of each sequence of dev. */
  readonly devAnswers: Int32Array;
}

/** An instant head is to be there within seconds, however much data there is. */
const trainTokensMax = 200_000;

export async function fitInstantHead(
  base: TrainingBase,
  task: {
    readonly train: ContentSequences;
    readonly dev: Source;
    readonly labelCount: number;
    readonly pooling: Pooling;
  },
  signal?: AbortSignal,
): Promise<InstantHead> {
  const { labelCount, pooling } = task;
  const limit = { countMax: Infinity, tokensMax: trainTokensMax };
  const pace = new Pace(signal);
  const train = await picked(task.train, await lowestOf(task.train, limit, pace), pace);
  const { labels, digests } = train;
  const features = await pooledFeatures(base, train, { pooling, signal });
  const asked = await pooledFeatures(base, task.dev, { pooling, signal });
  const width = base.checkpoint.config.hiddenSize + 1;
  const program = await base.gram();
  const weightings: Weighting[] = [];
  for (const isBalanced of [true, false]) {
    const weights = rowWeights(labels, { labelCount, isBalanced });
    weightings.push({ weights, gram: await gramOf(program, { features, width, weights }) });
  }
  const problem = { features, labels, digests, width, labelCount, weightings, asked };
  const { head, answers } = await solveInThread(problem, signal);
  return { head, devAnswers: answers };
}

/** The base's pooled vector of each sequence, and the constant 1. */
async function pooledFeatures(
  base: TrainingBase,
  source: Source,
  options: { readonly pooling: Pooling; readonly signal: AbortSignal | undefined },
): Promise<Float32Array> {
  const { hiddenSize } = base.checkpoint.config;
  const width = hiddenSize + 1;
  const { pooling, signal } = options;
  const program = await base.pooled(source.states === undefined ? "ids" : "states");
  const features = new Float32Array(source.ids.length * width).fill(1);
  for (const batch of sortedBatches(source.ids, evaluationShape)) {
    signal?.throwIfAborted();
    const feeds = sourceFeeds(source, batch, { pooling, hiddenSize });
    const { pooled } = await program.run(feeds);
    const rows = present(pooled, "the graph's output").values as Float32Array; // float32 output
    for (const [row, index] of batch.entries())
      features.set(rows.subarray(row * hiddenSize, (row + 1) * hiddenSize), index * width);
  }
  return features;
}

/** Xᵀ D X. The runtime takes the features' buffer over, and the caller keeps its own. */
async function gramOf(
  program: Program,
  options: {
    readonly features: Float32Array;
    readonly width: number;
    readonly weights: Float32Array;
  },
): Promise<Float32Array> {
  const { features, width, weights } = options;
  const count = weights.length;
  const results = await program.run({
    features: { kind: "value", type: "float32", shape: [count, width], values: features.slice() },
    weights: { kind: "value", type: "float32", shape: [count], values: weights.slice() },
  });
  return present(results["gram"], "the graph's output").values as Float32Array; // float32 output
}
