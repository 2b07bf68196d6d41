/**
 * The training loop: epochs of shuffled batches, an evaluation on dev after each, early stopping,
 * and the best epoch's weights as the result. Same data, options and seed give the same weights.
 * What is particular to a kind of task it is told by `TaskKind`.
 */
import type { Pooling } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import { elementCount } from "../foundation/element-count.ts";
import { present } from "../foundation/assert.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { SeededRandom } from "../foundation/random.ts";
import { upperForm } from "../models/adapters/adapters.ts";
import { wordTable } from "../models/encoder-scope.ts";
import type { LearnedTensor } from "../models/learned-tensor.ts";
import { versionTensors } from "../models/version-tensors.ts";
import { type Value, valueOfFloats, withProgram } from "../runtime/runtime.ts";
import { targetsOf } from "../tasks/targets.ts";
import { type Answer, type Judged, scoreOf, type TaskKind } from "../tasks/tasks.ts";
import {
  answersBy,
  from,
  joined,
  type Learned,
  loadAnswering,
  poolingOf,
  sourceOf,
  type Taught,
} from "./answers.ts";
import { BestEpoch, CrossedAnswers } from "./epoch-choice.ts";
import { lossOf, scheduleFeeds } from "./schedule-feeds.ts";
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
  readonly kind: TaskKind;
  readonly train: Sequences;
  readonly dev: Sequences;
  /** They are answered as well; no epoch is chosen by them. */
  readonly others?: Source;
  readonly labelCount: number;
  readonly pooling: Pooling;
}

export interface FitOptions {
  /** What is learned beside the head: an adapter, or all of the base where it is undefined. */
  readonly adapter: AdapterSpecification | undefined;
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
  /** The score after the last step of an epoch, if there is a dev. */
  readonly devScore?: number;
}

export interface Fitted {
  /** The adapter among `tensors`, as its graph computes it. */
  readonly adapter: AdapterSpecification | undefined;
  /** Tensors by name; see `versionTensors`, and all of the base's for `full`. */
  readonly tensors: ReadonlyMap<string, Value>;
  /** The task's score, in [0, 1], of the epoch that is best; without dev none. */
  readonly devScore: number | undefined;
  readonly epochCount: number;
  readonly trainedTokenCount: number;
  /** The answer to each sequence of dev, by an epoch that was chosen without it. */
  readonly devAnswers: readonly Answer[];
  /** The answer to each of the others, by the epoch whose values these are. */
  readonly otherAnswers: readonly Answer[];
}

/** The epoch, of those so far, that is taken if no other comes. */
type Chosen = Pick<Fitted, "tensors" | "devScore" | "otherAnswers" | "epochCount">;

const warmupShare = 0.1;

/** The best epoch is the one with the highest score on dev; without dev the last one. */
export async function fit(base: TrainingBase, task: FitTask, options: FitOptions): Promise<Fitted> {
  const { kind, train, dev, others } = task;
  const { signal } = options;
  const taught = taughtBy(base, options);
  const source = sourceOf(train, taught, base);
  const asked = { ...task, source: joined(dev, others), signal };
  const step = await base.loadStep({ ...taught, source, task: kind.graph });
  return withProgram(Promise.resolve(step.program), () =>
    withProgram(loadAnswering(base, asked, taught), (answering) => {
      const answer = async (tensors: Learned["tensors"]): Promise<Answered> => {
        const learned = { ...taught, tensors };
        const answers = await answersBy(answering, { base, asked }, learned);
        return { dev: answers.slice(0, dev.ids.length), others: answers.slice(dev.ids.length) };
      };
      return learn({ base, task, options, step, source }, answer);
    }),
  );
}

async function learn(
  parts: Omit<RunOptions, "stepCount">,
  answer: (tensors: Learned["tensors"]) => Promise<Answered>,
): Promise<Fitted> {
  const { base, task, options, step } = parts;
  const { kind, dev } = task;
  const { adapter, epochCount, patience, seed } = options;
  await step.program.write(initialState(base, step, { task, options }));
  const pace = new Pace(options.signal);
  const epochBatches = (random: SeededRandom): Promise<readonly Batch[]> =>
    shuffledBatchesAtPace(task.train, batchShape(options), { random, pace });
  // How many there are differs a little between epochs.
  const stepCount = (await epochBatches(new SeededRandom(0))).length * epochCount;
  const run = new Run({ ...parts, stepCount });
  const best = new BestEpoch(patience);
  const judge = (index: number, given: Answer): Judged =>
    kind.judged(present(dev.answers[index], "an answer to each of dev"), given);
  const crossed = new CrossedAnswers(dev.ids.length, judge, patience);
  let chosen: Chosen | undefined;
  for (let epoch = 1; epoch <= epochCount; epoch++) {
    await run.epoch(epoch, await epochBatches(new SeededRandom(seed, epoch)));
    const tensors = await run.learned();
    const answers = await answer(tensors);
    crossed.add(answers.dev);
    const judged = answers.dev.map((given, index) => judge(index, given));
    const devScore = judged.length === 0 ? undefined : scoreOf(judged);
    run.report(epoch, devScore);
    // Without dev, the later an epoch the better.
    if (best.add(devScore ?? epoch))
      chosen = { tensors, devScore, otherAnswers: answers.others, epochCount: epoch };
    if (best.isOver && crossed.isOver) break;
  }
  return {
    ...present(chosen, "at least one epoch ran"),
    adapter,
    trainedTokenCount: run.tokenCount,
    devAnswers: crossed.answers.map((given) => present(given, "an epoch answers each")),
  };
}

/** The graphs take a form of an adapter even where none learns. */
function taughtBy({ checkpoint }: TrainingBase, { adapter }: FitOptions): Taught {
  if (adapter !== undefined) return { method: "adapter", adapter };
  return { method: "full", adapter: upperForm(checkpoint.config) };
}

/** What the values of an epoch answer. */
interface Answered {
  readonly dev: readonly Answer[];
  readonly others: readonly Answer[];
}

interface RunOptions {
  readonly base: TrainingBase;
  readonly task: FitTask;
  readonly options: FitOptions;
  readonly step: LearningProgram;
  readonly source: "ids" | "states";
  readonly stepCount: number;
}

/** Counts steps and losses over the epochs of one fit. */
class Run {
  tokenCount = 0;
  readonly #options: RunOptions;
  /** Full training has one. */
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
    const { task, options } = this.#options;
    const { train } = task;
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
    return lossOf(results);
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
    const { base, task, options, source, stepCount } = this.#options;
    const { kind, train } = task;
    const { hiddenSize } = base.checkpoint.config;
    const pooling = poolingOf(kind, task.pooling);
    return {
      ...sourceFeeds(from(train, source), batch, { pooling, hiddenSize }),
      ...targetFeeds(task, batch),
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
  { task, options }: Pick<RunOptions, "task" | "options">,
): Record<string, Value> {
  const { config } = base.checkpoint;
  const tensors: readonly LearnedTensor[] = versionTensors(config, {
    adapter: options.adapter,
    outputCount: task.kind.outputCount(task.labelCount),
  });
  const state: Record<string, Value> = {};
  const set = (name: string, shape: readonly number[], values: Float32Array): void => {
    const zeros = (): Float32Array => new Float32Array(values.length);
    state[name] = valueOfFloats({ shape, values });
    state[`${name}.mean`] = valueOfFloats({ shape, values: zeros() });
    state[`${name}.square`] = valueOfFloats({ shape, values: zeros() });
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
  const values = new Float32Array(elementCount(shape));
  return initialDeviation === 0 ? values : values.map(() => initialDeviation * random.normal());
}

/** What the loss compares a batch's scores with. */
function targetFeeds({ kind, train, labelCount }: FitTask, batch: Batch): Feed {
  const lessons = batch.map((index) => ({
    answer: present(train.answers[index], "an answer to each sequence"),
    firsts: train.firsts?.[index],
  }));
  const sequence = batch.reduce((most, index) => Math.max(most, train.ids[index]?.length ?? 0), 1);
  const built = targetsOf(kind, lessons, { labelCount, sequence });
  const { targets, weights, rowCount, outputCount } = built;
  return {
    targets: valueOfFloats({ shape: [rowCount, outputCount], values: targets }),
    exampleWeights: valueOfFloats({ shape: [rowCount], values: weights }),
  };
}
