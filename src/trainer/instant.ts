/**
 * The instant head: closed form on the base's pooled features; dev chooses λ, the
 * weighting and the temperature.
 */
import type { VersionWeights, WeightTensor } from "../creator/creator.ts";
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { permutation, SeededRandom } from "../foundation/random.ts";
import { headTensors } from "../models/head.ts";
import { evaluationShape, type Sequences, sortedBatches, sourceFeeds } from "./sequences.ts";
import { type Head, type LabelledFeatures, ridgeSystem, scoresOf, solveRidge } from "./ridge.ts";
import type { TrainingBase } from "./training-base.ts";

export interface InstantHead {
  readonly head: Head;
  /** In [0, 1]. */
  readonly devAccuracy: number;
}

/** An instant head is to be there within seconds, however much data there is. */
const tokensMax = { train: 200_000, dev: 50_000 } as const;
const lambdas = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1] as const;
/** Factors of the scores before the softmax: least squares leaves them in about [0, 1]. */
const inverseTemperatures = [1, 2, 4, 6, 8, 12, 16, 24] as const;

export async function fitInstantHead(
  base: TrainingBase,
  task: {
    readonly train: Sequences;
    readonly dev: Sequences;
    readonly labelCount: number;
    readonly pooling: Pooling;
  },
  signal?: AbortSignal,
): Promise<InstantHead> {
  const { labelCount, pooling } = task;
  const [train, dev] = [within(task.train, tokensMax.train), within(task.dev, tokensMax.dev)];
  const trainFeatures = await pooledFeatures(base, train, { pooling, signal });
  const devFeatures = await pooledFeatures(base, dev, { pooling, signal });
  const candidates: (Fit & { readonly head: Head; readonly factor: number })[] = [];
  for (const isBalanced of [true, false]) {
    const weighting = { labelCount, isBalanced };
    const system = await ridgeSystem(await base.ridge(), trainFeatures, weighting);
    for (const lambda of lambdas) {
      // The solve takes the main thread some milliseconds; the next one waits for a graph's run.
      const head = solveRidge(system, lambda);
      const scores = await scoresOf(await base.scores(), devFeatures, head);
      for (const factor of inverseTemperatures) {
        const fitness = measure(scores, { labels: devFeatures.labels, factor });
        candidates.push({ head, factor, ...fitness });
      }
    }
  }
  const { head, factor, accuracy } = best(candidates);
  return { head: scaled(head, factor), devAccuracy: accuracy };
}

/** The head as a version of a model, to be served at once. */
export function instantWeights(
  { head, devAccuracy }: InstantHead,
  labels: readonly string[],
  { checkpoint, precision }: Pick<TrainingBase, "checkpoint" | "precision">,
): VersionWeights {
  const { config, pooling } = checkpoint;
  const values: Readonly<Record<string, Float32Array>> = {
    "head.weight": head.weight,
    "head.bias": head.bias,
  };
  const tensors = new Map<string, WeightTensor>();
  for (const { name, shape } of headTensors(config, head.bias.length))
    tensors.set(name, { shape, values: present(values[name], "a part of the head") });
  const metrics = { devAccuracy };
  const facts = { labels, rank: 0, pooling, precision, metrics };
  return { kind: "instant", tensors, ...facts, isServed: true };
}

/** As many sequences as `tokenCountMax` allows, chosen by chance, always the same ones. */
function within(sequences: Sequences, tokenCountMax: number): Sequences {
  const { ids, labels, states } = sequences;
  const chosen: number[] = [];
  let tokenCount = 0;
  for (const index of permutation(ids.length, new SeededRandom(0))) {
    tokenCount += ids[index]?.length ?? 0;
    if (tokenCount > tokenCountMax && chosen.length > 0) break;
    chosen.push(index);
  }
  const pick = <T>(values: readonly T[]): T[] =>
    chosen.map((index) => present(values[index], "an index of the sequences"));
  return {
    ids: pick(ids),
    labels: Int32Array.from(chosen, (index) => labels[index] ?? 0),
    states: states === undefined ? undefined : pick(states),
  };
}

/** The base's pooled vector of each sequence, and the constant 1. */
export async function pooledFeatures(
  base: TrainingBase,
  sequences: Sequences,
  options: { readonly pooling: Pooling; readonly signal?: AbortSignal | undefined },
): Promise<LabelledFeatures> {
  const { hiddenSize } = base.checkpoint.config;
  const width = hiddenSize + 1;
  const { pooling, signal } = options;
  const program = await base.pooled(sequences.states === undefined ? "ids" : "states");
  const features = new Float32Array(sequences.ids.length * width).fill(1);
  for (const batch of sortedBatches(sequences.ids, evaluationShape)) {
    signal?.throwIfAborted();
    const feeds = sourceFeeds(sequences, batch, { pooling, hiddenSize });
    const { pooled } = await program.run(feeds);
    const rows = present(pooled, "the graph's output").values as Float32Array; // float32 output
    for (const [row, index] of batch.entries())
      features.set(rows.subarray(row * hiddenSize, (row + 1) * hiddenSize), index * width);
  }
  return { features, labels: sequences.labels, width };
}

interface Fit {
  readonly accuracy: number;
  /** Mean negative log-likelihood. */
  readonly loss: number;
}

/** The more accurate; among equals the one with the lower loss. */
function best<F extends Fit>(fits: readonly F[]): F {
  return fits.reduce((a, b) =>
    b.accuracy > a.accuracy || (b.accuracy === a.accuracy && b.loss < a.loss) ? b : a,
  );
}

function measure(
  scores: Float32Array,
  { labels, factor }: { readonly labels: Int32Array; readonly factor: number },
): Fit {
  const width = scores.length / Math.max(1, labels.length);
  let rightCount = 0;
  let loss = 0;
  for (const [index, label] of labels.entries()) {
    const row = scores.subarray(index * width, (index + 1) * width);
    const highest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    if (row[label] === highest) rightCount += 1;
    const total = row.reduce((sum, score) => sum + Math.exp(factor * (score - highest)), 0);
    loss += Math.log(total) - factor * ((row[label] ?? 0) - highest);
  }
  const count = Math.max(1, labels.length);
  return { accuracy: rightCount / count, loss: loss / count };
}

function scaled({ weight, bias }: Head, factor: number): Head {
  return { weight: weight.map((w) => w * factor), bias: bias.map((b) => b * factor) };
}
