/**
 * The training loop: epochs of shuffled batches, an evaluation on dev after each, early stopping,
 * and the best epoch's weights as the result. Same data, options and seed give the same weights.
 * What is particular to a kind of task is its `Objective`; that of classifying texts is here.
 */
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import { adapterTensors, upperForm } from "../models/adapters/adapters.ts";
import { headTensors } from "../models/head.ts";
import type { LearnedTensor } from "../models/learned-tensor.ts";
import { type TrainingMethod, type TrainingTask, wordTable } from "../models/training-graph.ts";
import type { Value } from "../runtime/runtime.ts";
import { answersTo, from, joined, type Learned, shareRight, sourceOf } from "./answers.ts";
import { BestEpoch, CrossedAnswers } from "./epoch-choice.ts";
import { scheduleFeeds } from "./schedule-feeds.ts";
import {
  type Batch,
  type BatchShape,
  type Feed,
  type Sequences,
  shuffledBatchesAtPace,
  type Source,
  sourceFeeds,
} from "./sequences.ts";
import type { LearningProgram, TrainingBase } from "./training-base.ts";
import { WordTable } from "./word-table.ts";

export interface FitTask {
  readonly train: Sequences;
  readonly dev: Sequences;
  /** Answered as well; no epoch is chosen by them. */
  readonly others?: Source;
  readonly labelCount: number;
  readonly pooling: Pooling;
}

/** What the loop asks of a kind of task. */
export interface Objective {
  readonly task: TrainingTask;
  /** Of tasks of sequences. */
  readonly pooling?: Pooling;
  readonly labelCount: number;
  readonly train: Source;
  readonly dev: Source;
  /** `targets` and `exampleWeights` of a batch of `train`; see `stepGraph`. */
  targets(batch: Batch): Feed;
  /** Answered as well; no epoch is chosen by them. */
  readonly others?: Source;
  /** In [0, 1], by the answers to each dev sequence: one, or one per token. */
  score(answers: readonly Int32Array[]): number;
  /** Where each dev sequence has one answer: it gets that of an epoch chosen without it. */
  readonly crossed?: CrossedAnswers;
}

export interface FitOptions {
  readonly method: TrainingMethod;
  /** What `adapter` learns; a bottleneck in the upper layers when absent. */
  readonly adapter?: AdapterForm;
  /** The adapter's. */
  readonly rank: number;
  readonly learningRate: number;
  readonly epochCount: number;
  readonly batchSize: number;
  /** Epochs without a better score on dev after which it stops; without dev it never does. */
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
  /** After the last step of an epoch, where there is a dev. */
  readonly devScore?: number;
}

export interface Fitted {
  /** By name; see `adapterTensors` and `headTensors`, and all of the base's for `full`. */
  readonly tensors: ReadonlyMap<string, Value>;
  /** In [0, 1]: accuracy, or F1 over entities, of the epoch that is best; without dev none. */
  readonly devScore: number | undefined;
  readonly epochCount: number;
  readonly trainedTokenCount: number;
}

const warmupShare = 0.1;

export interface FittedClassifier extends Fitted {
  /** Label of each sequence of dev, by an epoch that was chosen without it. */
  readonly devAnswers: Int32Array;
  /** Label of each of the others, by the epoch whose values these are. */
  readonly otherAnswers: Int32Array;
}

/** The best epoch is the one with the highest accuracy on dev; without dev the last one. */
export async function fit(
  base: TrainingBase,
  task: FitTask,
  options: FitOptions,
): Promise<FittedClassifier> {
  const crossed = new CrossedAnswers(task.dev.labels, options.patience);
  const fitted = await learn(base, { ...classification(task), crossed }, options);
  const { otherAnswers } = fitted;
  return {
    ...fitted,
    devAnswers: crossed.answers,
    otherAnswers: Int32Array.from(otherAnswers, ([answer]) => answer ?? -1),
  };
}

export interface Learning extends Fitted {
  /** Of each of the objective's others, by the epoch whose values these are. */
  readonly otherAnswers: readonly Int32Array[];
}

export async function learn(
  base: TrainingBase,
  objective: Objective,
  options: FitOptions,
): Promise<Learning> {
  const { method, epochCount, patience, seed } = options;
  const { adapter = upperForm(base.checkpoint.config) } = options;
  const taught = { method, adapter };
  const source = sourceOf(objective.train, taught, base);
  const step = await base.step({ ...taught, source, task: objective.task });
  await step.program.write(initialState(base, step, { objective, options }));
  const pace = new Pace(options.signal);
  const epochBatches = (random: SeededRandom): Promise<readonly Batch[]> =>
    shuffledBatchesAtPace(objective.train, batchShape(options), { random, pace });
  // How many there are differs a little between epochs.
  const stepCount = (await epochBatches(new SeededRandom(0))).length * epochCount;
  const run = new Run({ base, objective, options, step, source, stepCount });
  const best = new BestEpoch(patience);
  let chosen: Learning | undefined;
  for (let epoch = 1; epoch <= epochCount; epoch++) {
    await run.epoch(epoch, await epochBatches(new SeededRandom(seed, epoch)));
    const tensors = await run.learned();
    const learned = { ...taught, tensors };
    const judged = await judge(base, objective, { learned, signal: options.signal });
    run.report(epoch, judged.devScore);
    // Without dev, the later an epoch the better.
    if (best.add(judged.devScore ?? epoch))
      chosen = { tensors, ...judged, epochCount: epoch, trainedTokenCount: 0 };
    if (best.isOver && (objective.crossed?.isOver ?? true)) break;
  }
  return { ...present(chosen, "at least one epoch ran"), trainedTokenCount: run.tokenCount };
}

/** How good these learned values are on dev, and what they answer. */
async function judge(
  base: TrainingBase,
  objective: Objective,
  { learned, signal }: { readonly learned: Learned; readonly signal: AbortSignal | undefined },
): Promise<Pick<Learning, "devScore" | "otherAnswers">> {
  const { dev, others } = objective;
  const source = joined(dev, others);
  const answers = await answersTo(base, { ...objective, source, signal }, learned);
  const devAnswers = answers.slice(0, dev.ids.length);
  objective.crossed?.add(devAnswers.map(([answer]) => answer ?? -1));
  return {
    devScore: dev.ids.length === 0 ? undefined : objective.score(devAnswers),
    otherAnswers: answers.slice(dev.ids.length),
  };
}

interface RunOptions {
  readonly base: TrainingBase;
  readonly objective: Objective;
  readonly options: FitOptions;
  readonly step: LearningProgram;
  readonly source: "ids" | "states";
  readonly stepCount: number;
}

/** Counts steps and losses over the epochs of one fit. */
class Run {
  tokenCount = 0;
  readonly #options: RunOptions;
  /** Of full training only. */
  readonly #words: WordTable | undefined;
  #step = 0;
  #loss = 0;
  #lossSum = 0;
  #lossCount = 0;

  constructor(options: RunOptions) {
    this.#options = options;
    const { hiddenSize } = options.base.checkpoint.config;
    const words = options.base.weights.get(wordTable);
    if (options.step.learned.has(wordTable) && words instanceof Float32Array)
      this.#words = new WordTable(words, hiddenSize);
  }

  async epoch(epoch: number, batches: readonly Batch[]): Promise<void> {
    const { objective, options } = this.#options;
    const { train } = objective;
    for (const batch of batches) {
      options.signal?.throwIfAborted();
      this.#step += 1;
      this.#lossSum += await this.#learn(this.#feeds(batch));
      this.#lossCount += 1;
      for (const index of batch) this.tokenCount += train.ids[index]?.length ?? 0;
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

  report(epoch: number, devScore?: number): void {
    // After an epoch there may have been no step since the last report.
    if (this.#lossCount > 0) this.#loss = this.#lossSum / this.#lossCount;
    this.#options.options.onProgress?.({
      epoch,
      step: this.#step,
      stepCount: this.#options.stepCount,
      loss: this.#loss,
      ...(devScore === undefined ? {} : { devScore }),
    });
    this.#lossSum = 0;
    this.#lossCount = 0;
  }

  #feeds(batch: Batch): Record<string, Value> {
    const { base, objective, options, source, stepCount } = this.#options;
    const { pooling, train } = objective;
    const { hiddenSize } = base.checkpoint.config;
    return {
      ...sourceFeeds(from(train, source), batch, { pooling, hiddenSize }),
      ...objective.targets(batch),
      ...scheduleFeeds({
        learningRate: options.learningRate,
        step: this.#step,
        stepCount,
        warmupShare,
      }),
    };
  }
}

/** A padded batch costs by its tokens: a batch of long sequences is cut into smaller ones. */
function batchShape({ batchSize }: FitOptions): BatchShape {
  return { sequencesMax: batchSize, tokensMax: limits.trainingBatchTokensMax };
}

/** Weights to start from, and zeros for AdamW's means. */
function initialState(
  base: TrainingBase,
  step: LearningProgram,
  { objective, options }: Pick<RunOptions, "objective" | "options">,
): Record<string, Value> {
  const { config } = base.checkpoint;
  const { method, rank, adapter = upperForm(config) } = options;
  const tensors: readonly LearnedTensor[] = [
    ...(method === "adapter" ? adapterTensors(config, { ...adapter, rank }) : []),
    ...headTensors(config, objective.labelCount),
  ];
  const state: Record<string, Value> = {};
  const set = (name: string, shape: readonly number[], values: Float32Array): void => {
    const zeros = (): Float32Array => new Float32Array(values.length);
    state[name] = { kind: "value", type: "float32", shape, values };
    state[`${name}.mean`] = { kind: "value", type: "float32", shape, values: zeros() };
    state[`${name}.square`] = { kind: "value", type: "float32", shape, values: zeros() };
  };
  for (const [index, tensor] of tensors.entries()) {
    const random = new SeededRandom(options.seed, 0x10000 + index);
    set(tensor.name, tensor.shape, initialValues(tensor, random));
  }
  for (const [name, shape] of step.learned) {
    const values = base.weights.get(name);
    // The base's weights have no open dimensions, but for the word table, which is no state.
    if (values instanceof Float32Array && name !== wordTable)
      set(name, shape.map(Number), values.slice());
  }
  return state;
}

function initialValues(
  { shape, initialDeviation }: LearnedTensor,
  random: SeededRandom,
): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  return initialDeviation === 0 ? values : values.map(() => initialDeviation * random.normal());
}

function classification({ train, dev, others, labelCount, pooling }: FitTask): Objective {
  return {
    task: "sequence",
    pooling,
    labelCount,
    train,
    dev,
    ...(others === undefined ? {} : { others }),
    targets(batch) {
      const targets = new Float32Array(batch.length * labelCount);
      for (const [row, index] of batch.entries())
        targets[row * labelCount + (train.labels[index] ?? 0)] = 1;
      const weights = new Float32Array(batch.length).fill(1);
      return {
        targets: {
          kind: "value",
          type: "float32",
          shape: [batch.length, labelCount],
          values: targets,
        },
        exampleWeights: { kind: "value", type: "float32", shape: [batch.length], values: weights },
      };
    },
    score: (answers) => shareRight(dev, answers),
  };
}
