/**
 * The training loop: epochs of shuffled batches, an evaluation on dev after each, early stopping,
 * and the best epoch's weights as the result. Same data, options and seed give the same weights.
 */
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { limits } from "../foundation/limits.ts";
import { SeededRandom } from "../foundation/random.ts";
import { adapterTensors, type LearnedTensor } from "../models/adapter.ts";
import { headTensors } from "../models/head.ts";
import { type TrainingMethod, wordTable } from "../models/training-graph.ts";
import type { Value } from "../runtime/runtime.ts";
import {
  type Batch,
  type BatchShape,
  evaluationShape,
  type Sequences,
  shuffledBatches,
  sortedBatches,
  sourceFeeds,
} from "./sequences.ts";
import type { LearningProgram, TrainingBase } from "./training-base.ts";
import { WordTable } from "./word-table.ts";

export interface FitTask {
  readonly train: Sequences;
  readonly dev: Sequences;
  readonly labelCount: number;
  readonly pooling: Pooling;
}

export interface FitOptions {
  readonly method: TrainingMethod;
  readonly rank: number;
  readonly learningRate: number;
  readonly epochCount: number;
  readonly batchSize: number;
  /** Epochs without a better dev accuracy after which it stops. */
  readonly patience: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FitProgress) => void;
}

export interface FitProgress {
  readonly epoch: number;
  readonly step: number;
  readonly stepCount: number;
  /** Mean since the last report. */
  readonly loss: number;
  /** After the last step of an epoch. */
  readonly devAccuracy?: number;
}

export interface Fitted {
  /** By name; see `adapterTensors` and `headTensors`, and all of the base's for `full`. */
  readonly tensors: ReadonlyMap<string, Value>;
  readonly devAccuracy: number;
  readonly epochCount: number;
  readonly trainedTokenCount: number;
}

const warmupShare = 0.1;

export async function fit(base: TrainingBase, task: FitTask, options: FitOptions): Promise<Fitted> {
  const { method, epochCount, patience, seed } = options;
  const source = sourceOf(task.train, method);
  const step = await base.step({ method, source });
  await step.program.write(initialState(base, step, { task, options }));
  const run = new Run({ base, task, options, step, source });
  let best: Fitted | undefined;
  for (let epoch = 1; epoch <= epochCount; epoch++) {
    await run.epoch(epoch, new SeededRandom(seed, epoch));
    const tensors = await run.learned();
    const devAccuracy = await evaluate(base, task, { method, tensors });
    run.report(epoch, devAccuracy);
    if (best === undefined || devAccuracy > best.devAccuracy)
      best = { tensors, devAccuracy, epochCount: epoch, trainedTokenCount: 0 };
    else if (epoch - best.epochCount >= patience) break;
  }
  return { ...present(best, "at least one epoch ran"), trainedTokenCount: run.tokenCount };
}

interface RunOptions {
  readonly base: TrainingBase;
  readonly task: FitTask;
  readonly options: FitOptions;
  readonly step: LearningProgram;
  readonly source: "ids" | "states";
}

/** Counts steps and losses over the epochs of one fit. */
class Run {
  tokenCount = 0;
  readonly #options: RunOptions;
  readonly #stepCount: number;
  /** Of full training only. */
  readonly #words: WordTable | undefined;
  #step = 0;
  #loss = 0;
  #lossSum = 0;
  #lossCount = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    const { task } = options;
    const perEpoch = shuffledBatches(task.train, this.#shape(), new SeededRandom(0)).length;
    this.#stepCount = perEpoch * options.options.epochCount;
    const { hiddenSize } = options.base.checkpoint.config;
    const words = options.base.weights.get(wordTable);
    if (options.step.learned.has(wordTable) && words instanceof Float32Array)
      this.#words = new WordTable(words, hiddenSize);
  }

  async epoch(epoch: number, random: SeededRandom): Promise<void> {
    const { task, options } = this.#options;
    for (const batch of shuffledBatches(task.train, this.#shape(), random)) {
      options.signal?.throwIfAborted();
      this.#step += 1;
      this.#lossSum += await this.#learn(this.#feeds(batch));
      this.#lossCount += 1;
      for (const index of batch) this.tokenCount += task.train.ids[index]?.length ?? 0;
      if (this.#step % 10 === 0) this.report(epoch);
    }
  }

  /** One step; returns the loss before it. */
  async #learn(feeds: Record<string, Value>): Promise<number> {
    const { program } = this.#options.step;
    const rows = feeds["ids"] && this.#words?.take(feeds["ids"]);
    const results = await program.run({ ...feeds, ...rows?.feeds });
    if (rows !== undefined) this.#words?.replace(rows.words, results);
    return Number(results["loss"]?.values[0]);
  }

  /** The learned values as they are now, by name. */
  async learned(): Promise<ReadonlyMap<string, Value>> {
    const { step } = this.#options;
    const names = [...step.learned.keys()].filter((name) => name !== wordTable);
    const tensors = new Map(Object.entries(await step.program.read(names)));
    if (this.#words !== undefined) tensors.set(wordTable, this.#words.values());
    return tensors;
  }

  report(epoch: number, devAccuracy?: number): void {
    // After an epoch there may have been no step since the last report.
    if (this.#lossCount > 0) this.#loss = this.#lossSum / this.#lossCount;
    this.#options.options.onProgress?.({
      epoch,
      step: this.#step,
      stepCount: this.#stepCount,
      loss: this.#loss,
      ...(devAccuracy === undefined ? {} : { devAccuracy }),
    });
    this.#lossSum = 0;
    this.#lossCount = 0;
  }

  #shape(): BatchShape {
    // A padded batch costs by its tokens: a batch of long sequences is cut into smaller ones.
    const tokensMax = limits.trainingBatchTokensMax;
    return { sequencesMax: this.#options.options.batchSize, tokensMax };
  }

  #feeds(batch: Batch): Record<string, Value> {
    const { base, task, options, source } = this.#options;
    const { labelCount, pooling, train } = task;
    const targets = new Float32Array(batch.length * labelCount);
    for (const [row, index] of batch.entries())
      targets[row * labelCount + (train.labels[index] ?? 0)] = 1;
    const { hiddenSize } = base.checkpoint.config;
    const weights = new Float32Array(batch.length).fill(1);
    return {
      ...sourceFeeds(from(train, source), batch, { pooling, hiddenSize }),
      targets: { type: "float32", shape: [batch.length, labelCount], values: targets },
      exampleWeights: { type: "float32", shape: [batch.length], values: weights },
      learningRate: scalar(options.learningRate),
      step: scalar(this.#step),
      stepCount: scalar(this.#stepCount),
      warmupCount: scalar(Math.ceil(this.#stepCount * warmupShare)),
    };
  }
}

/** Weights to start from, and zeros for AdamW's means. */
function initialState(
  base: TrainingBase,
  step: LearningProgram,
  { task, options }: { readonly task: FitTask; readonly options: FitOptions },
): Record<string, Value> {
  const { config } = base.checkpoint;
  const tensors: readonly LearnedTensor[] = [
    ...(options.method === "adapter" ? adapterTensors(config, options.rank) : []),
    ...headTensors(config, task.labelCount),
  ];
  const state: Record<string, Value> = {};
  const set = (name: string, shape: readonly number[], values: Float32Array): void => {
    const zeros = (): Float32Array => new Float32Array(values.length);
    state[name] = { type: "float32", shape, values };
    state[`${name}.mean`] = { type: "float32", shape, values: zeros() };
    state[`${name}.square`] = { type: "float32", shape, values: zeros() };
  };
  for (const [index, { name, shape }] of tensors.entries())
    set(name, shape, initialValues(name, shape, new SeededRandom(options.seed, 0x10000 + index)));
  for (const [name, shape] of step.learned) {
    const values = base.weights.get(name);
    // The base's weights have no open dimensions, but for the word table, which is no state.
    if (values instanceof Float32Array && name !== wordTable)
      set(name, shape.map(Number), values.slice());
  }
  return state;
}

/**
 * Adapters start as the identity, with a small random `down` and zeros else. The head starts at
 * zero: from the closed-form one, whose scores are sharp already, training overfits at once.
 */
function initialValues(name: string, shape: readonly number[], random: SeededRandom): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  return name.endsWith(".down") ? values.map(() => 0.02 * random.normal()) : values;
}

/** Share of the task's dev examples that these learned values classify rightly. */
export async function evaluate(
  base: TrainingBase,
  task: Pick<FitTask, "dev" | "labelCount" | "pooling">,
  learned: { readonly method: TrainingMethod; readonly tensors: ReadonlyMap<string, Value> },
): Promise<number> {
  const { dev, labelCount, pooling } = task;
  const source = sourceOf(dev, learned.method);
  const { program } = await base.logits({ method: learned.method, source });
  // Buffers are handed over, and the caller keeps its values.
  const copies = [...learned.tensors].map(
    ([name, value]) => [name, { ...value, values: value.values.slice() }] as const,
  );
  await program.write(Object.fromEntries(copies));
  const { hiddenSize } = base.checkpoint.config;
  let rightCount = 0;
  for (const batch of sortedBatches(dev.ids, evaluationShape)) {
    const feeds = sourceFeeds(from(dev, source), batch, { pooling, hiddenSize });
    const { logits } = await program.run(feeds);
    const scores = present(logits, "the graph's output").values as Float32Array; // float32 output
    for (const [row, index] of batch.entries()) {
      const predicted = argmax(scores.subarray(row * labelCount, (row + 1) * labelCount));
      if (predicted === dev.labels[index]) rightCount += 1;
    }
  }
  return rightCount / Math.max(1, dev.ids.length);
}

export function argmax(values: Float32Array): number {
  let best = 0;
  for (const [index, value] of values.entries()) if (value > (values[best] ?? 0)) best = index;
  return best;
}

/** Kept states serve only while the shallow part stays as it is. */
function sourceOf({ states }: Sequences, method: TrainingMethod): "ids" | "states" {
  return states === undefined || method === "full" ? "ids" : "states";
}

function from(sequences: Sequences, source: "ids" | "states"): Sequences {
  return source === "ids" ? { ...sequences, states: undefined } : sequences;
}

function scalar(value: number): Value {
  return { type: "float32", shape: [], values: Float32Array.of(value) };
}
