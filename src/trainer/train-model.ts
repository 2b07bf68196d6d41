/**
 * What a job runs. A model without a version gets the instant head first; then adapter and head
 * are trained, and served unless held-out texts speak for the version that is served.
 */
import type { Caller } from "../entities/caller.ts";
import { defaultLearningRate, type Hyperparameters, type Job } from "../entities/job.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import type {
  AdapterKindName,
  AdapterSpecification,
  Version,
  VirtualModel,
} from "../entities/virtual-model.ts";
import type { Creator, VersionWeights } from "../creator/creator.ts";
import type { Weight } from "../entities/weights.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { actsAbove, allLayers, upperLayers } from "../models/adapters/adapters.ts";
import { Pace } from "../foundation/pace.ts";
import type { Store } from "../storage/storage.ts";
import { distinctDigests, encodeEvidence, rememberedOf } from "./evidence.ts";
import type { TrainingExamples } from "./examples.ts";
import { fit, type FitProgress, type Fitted } from "../learning/learning.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { Comparison, ScoreWords, TaskKind } from "../tasks/tasks.ts";
import { comparedRows, type Judged, othersOf, type Served, servedOf, sourceOf } from "./judging.ts";
import { shallowStates, type Source } from "../learning/sequences.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { compare, findingOf, isToBeServed, verdictOf } from "./verdict.ts";
import { figureText, heldOutRows, instantVersion, ownFigures } from "./version-weights.ts";
import { requireModel } from "../storage/checks.ts";

/** What "auto" stands for where there are examples enough. */
const defaultHyperparameters = {
  epochCount: 8,
  batchSize: 16,
  learningRate: defaultLearningRate,
  adapter: "bottleneck",
  layers: "upper",
} as const;

/** LoRA has two adapted linears in each layer, where a bottleneck has one place. */
const defaultRanks: Readonly<Record<AdapterKindName, number>> = { bottleneck: 16, lora: 8 };

/**
 * Epochs without progress on dev after which training stops: enough that the falling learning rate
 * has its effect, since dev of a few hundred examples is noisy.
 */
const patience = 4;
/** Fewer steps than these leave an adapter almost as it began, however many epochs they are. */
const stepCountMin = 64;
/** How often a version is compared anew, since another one came to be served meanwhile. */
const comparisonCountMax = 5;

export interface TrainModelOptions {
  /** The caller whose job it is. */
  readonly caller: Caller;
  readonly base: TrainingBase;
  readonly store: Store;
  readonly creator: Creator;
  readonly model: VirtualModel;
  readonly job: Job;
  readonly signal: AbortSignal;
  say(message: string, values?: Readonly<Record<string, number>>): void;
  warn(message: string): void;
}

export interface TrainedModel {
  readonly version: Version;
  readonly trainedTokenCount: number;
}

export async function trainModel(
  loaded: TrainingExamples,
  options: TrainModelOptions,
): Promise<TrainedModel> {
  const { base, job, say, signal } = options;
  const { config, pooling } = base.checkpoint;
  const chosen = { ...automatic(loaded, job), ...job.hyperparameters };
  const adapter = adapterOf(config, chosen);
  const examples = {
    ...loaded,
    train: await withStates(loaded.train, { base, adapter, signal }),
    dev: await withStates(loaded.dev, { base, adapter, signal }),
  };
  // What is damaged is told when the versions are compared.
  const reading = { ...options, onDamage: () => undefined };
  const served = (await servedOf(reading, options.model)) ?? (await first(examples, options));
  say(`Training on ${examples.train.ids.length} examples, ${examples.dev.ids.length} held out`);
  const { fitted, judged } = await fitAndAnswer(examples, { ...options, chosen, adapter, served });
  const { kind, labels, dev } = examples;
  const tensors = new Map<string, Weight>();
  for (const [name, { shape, values }] of fitted.tensors)
    tensors.set(name, { shape, values: values as Float32Array }); // learned values are float32
  const metrics = ownFigures(kind, dev.answers, fitted.devAnswers);
  const version = await publishCompared(options, {
    judged,
    weights: {
      kind: "trained",
      labels,
      tensors,
      task: kind.name,
      adapter,
      form: "dense",
      domain: undefined,
      pooling,
      precision: base.precision,
      metrics,
      evidence: encodeEvidence(judged.evidence),
      job: job.id,
    },
  });
  say(
    `Version ${version.number}: ${figureText(kind, metrics)}`,
    eventValues(kind, version.metrics),
  );
  say(`Version ${version.number}: ${version.verdict ?? ""}`);
  return { version, trainedTokenCount: fitted.trainedTokenCount };
}

function adapterOf(config: EncoderConfig, chosen: Hyperparameters): AdapterSpecification {
  const { adapter: kind, rank, layers } = chosen;
  return { kind, rank, layers: layers === "all" ? allLayers(config) : upperLayers(config) };
}

/** What "auto" stands for with these examples. */
function automatic({ kind, train }: TrainingExamples, job: Job): Hyperparameters {
  const usual = { ...defaultHyperparameters, ...kind.hyperparameters };
  const { batchSize = usual.batchSize, adapter = usual.adapter } = job.hyperparameters;
  const epochCount = usual.epochCount * stretchOf(train.ids.length, batchSize);
  return {
    ...usual,
    rank: defaultRanks[adapter],
    epochCount: Math.min(epochCount, limits.epochCountMax),
  };
}

/** How many epochs of a small file count as one of a file that is large enough. */
function stretchOf(exampleCount: number, batchSize: number): number {
  const stepsPerEpoch = Math.ceil(exampleCount / batchSize);
  return Math.ceil(stepCountMin / (stepsPerEpoch * defaultHyperparameters.epochCount));
}

/** The instant version of a model that has none, so that it can be called while it is trained. */
async function first(examples: TrainingExamples, options: TrainModelOptions): Promise<Served> {
  const { base, caller, creator, model, say, signal, store } = options;
  const { kind } = examples;
  const weights = await instantVersion(base, examples, signal);
  const { number } = await creator.publish(caller, model, weights);
  say(
    `Version ${number}: instant head, ${figureText(kind, weights.metrics)}: ` +
      `"${model.id}" can be called now`,
    eventValues(kind, weights.metrics),
  );
  const served = await servedOf(
    { caller, store, onDamage: options.warn },
    { ...model, servedVersion: number },
  );
  return present(served, "the version was published just now");
}

interface FitParts extends TrainModelOptions {
  readonly chosen: Hyperparameters;
  readonly adapter: AdapterSpecification;
  readonly served: Served;
}

/** Trains, and answers what was held out from this or from the served version. */
async function fitAndAnswer(
  examples: TrainingExamples,
  { base, job, signal, say, chosen, adapter, served }: FitParts,
): Promise<{ readonly fitted: Fitted; readonly judged: Judged }> {
  const { kind, labels, train, dev } = examples;
  const { pooling } = base.checkpoint;
  const pace = new Pace(signal);
  const seen = await distinctDigests(train.digests, pace);
  const rows = othersOf(served, { seen, held: new Set(examples.dev.digests) });
  const others = await withStates(sourceOf(rows), { base, adapter, signal });
  const task = { kind, train, dev, others, labelCount: labels.length, pooling };
  const fitted = await fit(base, task, {
    ...chosen,
    method: "adapter",
    adapter,
    patience: patience * stretchOf(train.ids.length, chosen.batchSize),
    seed: job.seed,
    signal,
    onProgress: (progress) => say(progressMessage(kind, progress), progressValues(kind, progress)),
  });
  const answered = rows.map((row, index) => ({
    ...row,
    answer: kind.spelled(
      present(fitted.otherAnswers[index], "an answer to each of the others"),
      labels,
    ),
  }));
  // What one of the two remembers: of the rest nobody asks.
  const known = new Set(served.evidence?.rows.map(({ digest }) => digest));
  const remembered = await rememberedOf(dev, pace);
  const wanted = new Set(remembered);
  await pace.each(dev.digests.length, (index) => {
    if (known.has(dev.digests[index] ?? -1)) wanted.add(index);
  });
  const held = heldOutRows(dev, {
    kind,
    answers: fitted.devAnswers,
    indices: [...wanted],
    labels,
  });
  const byDigest = new Map([...held, ...answered].map((row) => [row.digest, row]));
  // The remembered ones were added first, in their order.
  return {
    fitted,
    judged: { evidence: { seen, rows: held.slice(0, remembered.length) }, byDigest },
  };
}

/**
 * Publishes the version by the side of the one that is served by then: while a job ran, somebody
 * may have served another one.
 */
async function publishCompared(
  options: TrainModelOptions,
  parts: {
    readonly judged: Judged;
    readonly weights: Omit<VersionWeights, "isServed">;
  },
): Promise<Version> {
  const { base, caller, store, creator, model, warn } = options;
  for (let attempt = 1; ; attempt++) {
    const current = await requireModel(store.catalog.of(caller), model);
    const damages: string[] = [];
    const reading = { caller, store, onDamage: (message: string) => void damages.push(message) };
    const served = present(await servedOf(reading, current), "a model that was served stays so");
    const { number } = served.version;
    const rows = await comparedRows({ base, served, ...reading }, parts.judged);
    for (const damage of damages) warn(damage);
    const comparison = compare(rows);
    const isServed = isToBeServed(findingOf(comparison));
    const { weights } = parts;
    const words = taskKinds[weights.task].score;
    try {
      return await creator.publish(caller, model, {
        ...weights,
        metrics: { ...weights.metrics, ...comparedFigures(words, comparison) },
        verdict:
          damages[0] === undefined
            ? verdictOf(comparison, { served: number, words })
            : `Served: version ${number} cannot be compared with: ${damages[0]}`,
        isServed,
        replaces: number,
      });
    } catch (error) {
      const isOvertaken = error instanceof StrataError && error.code === "CONFLICT";
      if (!isOvertaken || attempt === comparisonCountMax) throw error;
    }
  }
}

function comparedFigures(
  { baseline }: ScoreWords,
  { count, servedScore, difference }: Comparison,
): Record<string, number> {
  if (count === 0) return { comparedCount: 0 };
  return {
    comparedCount: count,
    [baseline]: servedScore,
    difference: difference.mean,
    differenceLow: difference.low,
    differenceHigh: difference.high,
  };
}

/** The names of a version's figures in events, beside those of the task's score. */
const eventNames: Readonly<Record<string, string>> = {
  devCount: "dev_count",
  comparedCount: "compared_count",
  difference: "difference",
  differenceLow: "difference_low",
  differenceHigh: "difference_high",
};

function eventValues(
  { score }: TaskKind,
  metrics: Readonly<Record<string, number>>,
): Record<string, number> {
  const { baseline, event, figure } = score;
  const own = { [figure]: `dev_${event}`, [baseline]: `baseline_dev_${event}` };
  const names: Readonly<Record<string, string>> = { ...eventNames, ...own };
  const entries = Object.entries(metrics);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => (names[name] ? [[names[name], value]] : [])),
  );
}

/**
 * The shallow part's states are kept while they fit into memory, and computed again otherwise, or
 * where the adapter changes them.
 */
async function withStates<S extends Source>(
  sequences: S,
  { base, adapter, signal }: Pick<FitParts, "base" | "adapter" | "signal">,
): Promise<S> {
  if (!actsAbove(adapter, base.checkpoint.config)) return sequences;
  const tokenCount = sequences.ids.reduce((sum, { length }) => sum + length, 0);
  const bytes = tokenCount * base.checkpoint.config.hiddenSize * Float32Array.BYTES_PER_ELEMENT;
  if (bytes > limits.trainingStatesBytesMax) return sequences;
  return { ...sequences, states: await shallowStates(base, sequences.ids, signal) };
}

function progressMessage({ score }: TaskKind, progress: FitProgress): string {
  const { epoch, step, stepCount, loss, devScore } = progress;
  const dev = devScore === undefined ? "" : `, dev ${score.event} ${(100 * devScore).toFixed(1)} %`;
  return `Step ${step}/${stepCount}, epoch ${epoch}: loss ${loss.toFixed(4)}${dev}`;
}

function progressValues({ score }: TaskKind, progress: FitProgress): Record<string, number> {
  const { epoch, step, stepCount, loss, devScore } = progress;
  const dev = devScore === undefined ? {} : { [`valid_${score.event}`]: devScore };
  return { epoch, step, total_steps: stepCount, train_loss: loss, ...dev };
}
