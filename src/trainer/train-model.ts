/** What a job runs: instant head first, then adapter and head, kept only if they are better. */
import { defaultLearningRate, type Hyperparameters, type Job } from "../entities/job.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import type { Creator, WeightTensor } from "../creator/creator.ts";
import { decodeSafetensors } from "../checkpoints/safetensors.ts";
import { limits } from "../foundation/limits.ts";
import { adapterTensors } from "../models/adapter.ts";
import { headTensors } from "../models/head.ts";
import type { Store } from "../storage/storage.ts";
import type { TrainingExamples } from "./examples.ts";
import { evaluate, fit, type FitProgress, type FitTask } from "./fit.ts";
import { fitInstantHead, type InstantHead, instantWeights } from "./instant.ts";
import { type Sequences, shallowStates } from "./sequences.ts";
import type { TrainingBase } from "./training-base.ts";

/** What "auto" stands for. */
export const defaultHyperparameters: Hyperparameters = {
  epochCount: 8,
  batchSize: 16,
  learningRate: defaultLearningRate,
  rank: 16,
};

/**
 * Epochs without progress on dev after which training stops: enough that the falling learning rate
 * has its effect, since dev of a few hundred examples is noisy.
 */
const patience = 4;

export interface TrainModelOptions {
  readonly base: TrainingBase;
  readonly store: Store;
  readonly creator: Creator;
  readonly model: VirtualModel;
  readonly job: Job;
  readonly signal: AbortSignal;
  say(message: string, values?: Readonly<Record<string, number>>): void;
}

export interface TrainedModel {
  readonly version: Version;
  readonly trainedTokenCount: number;
}

export async function trainModel(
  examples: TrainingExamples,
  options: TrainModelOptions,
): Promise<TrainedModel> {
  const { base, model, job, creator, signal, say } = options;
  const train = await withStates(base, examples.train, signal);
  const dev = await withStates(base, examples.dev, signal);
  const { pooling } = base.checkpoint;
  const { labels } = examples;
  const labelCount = labels.length;
  const instant = await fitInstantHead(base, { train, dev, labelCount, pooling }, signal);
  const task = { train, dev, labelCount, pooling };
  const baseline = await baselineAccuracy(options, { task, instant, labels });
  say(`Training on ${train.ids.length} examples, ${dev.ids.length} held out`, {
    baseline_dev_accuracy: baseline,
  });
  const chosen = { ...defaultHyperparameters, ...job.hyperparameters };
  const fitted = await fit(base, task, {
    ...chosen,
    method: "adapter",
    patience,
    seed: job.seed,
    signal,
    onProgress: (progress) => say(progressMessage(progress), progressValues(progress)),
  });
  const isServed = fitted.devScore > baseline;
  const tensors = new Map<string, WeightTensor>();
  for (const [name, { shape, values }] of fitted.tensors)
    tensors.set(name, { shape, values: values as Float32Array }); // learned values are float32
  const version = await creator.publish(model, {
    kind: "trained",
    labels,
    tensors,
    rank: chosen.rank,
    pooling,
    precision: base.precision,
    metrics: { devAccuracy: fitted.devScore, baselineDevAccuracy: baseline },
    job: job.id,
    isServed,
  });
  const verdict = isServed ? "it is served now" : "it is not better and not served";
  say(
    `Version ${version.number}: dev accuracy ${percent(fitted.devScore)} against ` +
      `${percent(baseline)} before: ${verdict}`,
    { dev_accuracy: fitted.devScore },
  );
  return { version, trainedTokenCount: fitted.trainedTokenCount };
}

/** Dev accuracy of what is served now; a model without a version gets the instant one first. */
async function baselineAccuracy(
  options: TrainModelOptions,
  {
    task,
    instant,
    labels,
  }: {
    readonly task: FitTask;
    readonly instant: InstantHead;
    readonly labels: readonly string[];
  },
): Promise<number> {
  const { creator, model, store, base, say } = options;
  const served =
    model.servedVersion === undefined
      ? undefined
      : await store.catalog.versions.get(model.incarnation, model.servedVersion);
  if (served === undefined) {
    const version = await creator.publish(model, instantWeights(instant, labels, base));
    say(
      `Version ${version.number}: instant head, dev accuracy ${percent(instant.devAccuracy)}: ` +
        `"${model.id}" can be called now`,
      { dev_accuracy: instant.devAccuracy },
    );
    return instant.devAccuracy;
  }
  const file = decodeSafetensors(await store.blobs.get(served.blob));
  const { config } = base.checkpoint;
  const rank = Math.max(1, served.rank);
  const wanted = [...adapterTensors(config, rank), ...headTensors(config, task.labelCount)];
  const tensors = wanted.map(({ name, shape }) => {
    // A label that the served version does not know is one that it never answers.
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (name === "head.bias") values.fill(-1e9);
    if (file.names.includes(name)) values.set(file.tensor(name).values);
    return [name, { type: "float32", shape, values }] as const;
  });
  return evaluate(base, task, { method: "adapter", tensors: new Map(tensors) });
}

/** The shallow part's states are kept while they fit into memory, and computed again otherwise. */
async function withStates(
  base: TrainingBase,
  sequences: Sequences,
  signal: AbortSignal,
): Promise<Sequences> {
  const tokenCount = sequences.ids.reduce((sum, { length }) => sum + length, 0);
  const bytes = tokenCount * base.checkpoint.config.hiddenSize * Float32Array.BYTES_PER_ELEMENT;
  if (bytes > limits.trainingStatesBytesMax) return sequences;
  return { ...sequences, states: await shallowStates(base, sequences.ids, signal) };
}

function progressMessage({ epoch, step, stepCount, loss, devScore }: FitProgress): string {
  const dev = devScore === undefined ? "" : `, dev accuracy ${percent(devScore)}`;
  return `Step ${step}/${stepCount}, epoch ${epoch}: loss ${loss.toFixed(4)}${dev}`;
}

function progressValues(progress: FitProgress): Record<string, number> {
  const { epoch, step, stepCount, loss, devScore } = progress;
  const dev = devScore === undefined ? {} : { valid_accuracy: devScore };
  return { epoch, step, total_steps: stepCount, train_loss: loss, ...dev };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
