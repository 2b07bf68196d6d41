/**
 * What a job runs. A model without a version gets the instant head first; then adapter and head
 * are trained, and served unless held-out texts speak for the version that is served.
 */
import { defaultAdapter } from "../foundation/kind-names.ts";
import type { Caller } from "../entities/caller.ts";
import {
  defaultLearningRate,
  heldOutPrefix,
  type Hyperparameters,
  type Job,
} from "../entities/job.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification, Version, VirtualModel } from "../entities/virtual-model.ts";
import type { Creator, VersionWeights } from "../creator/creator.ts";
import type { Weights } from "../entities/weights.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { adapterKinds, allLayers, upperLayers } from "../models/adapters/adapters.ts";
import { Pace } from "../foundation/pace.ts";
import { distinctDigests } from "../datasets/content-digests.ts";
import { type Candidate, candidateOf, othersOf } from "../judging/candidate.ts";
import { encodeEvidence, sourceOf } from "../judging/evidence.ts";
import { eventFigures, figureText, ownFigures } from "../judging/figures.ts";
import { judgementOf } from "../judging/judging.ts";
import { type Served, servedOf } from "../judging/served.ts";
import { KeptStates } from "../learning/kept-states.ts";
import { fit, type FitProgress, type Fitted } from "../learning/learning.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { floatsOf } from "../runtime/runtime.ts";
import { requireModel } from "../storage/checks.ts";
import type { Store } from "../storage/storage.ts";
import type { TaskKind } from "../tasks/tasks.ts";
import type { TrainingExamples } from "./examples.ts";
import type { Said } from "./job-log.ts";
import { instantVersion } from "./version-weights.ts";

/** What "auto" stands for where there are examples enough. */
const defaultHyperparameters = {
  epochCount: 8,
  batchSize: 16,
  learningRate: defaultLearningRate,
  adapter: defaultAdapter.kind,
  layers: defaultAdapter.layers,
} as const;

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
  say(message: string, said?: Partial<Said>): void;
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
  const { config } = base.checkpoint;
  const chosen = { ...automatic(loaded, job), ...job.hyperparameters };
  const adapter = adapterOf(config, chosen);
  const kept = new KeptStates(base, adapter);
  const examples = {
    ...loaded,
    train: await kept.with(loaded.train, signal),
    dev: await kept.with(loaded.dev, signal),
  };
  // What is damaged is told when the versions are compared.
  const served = (await servedOf(options, options.model)) ?? (await first(examples, options));
  say(`Training on ${examples.train.ids.length} examples, ${examples.dev.ids.length} held out`);
  const { fitted, candidate } = await fitAndAnswer(examples, {
    ...options,
    chosen,
    adapter,
    kept,
    served,
  });
  const { kind, labels, dev } = examples;
  const tensors: Weights = new Map(
    [...fitted.tensors].map(([name, value]) => [name, floatsOf(value, name)]),
  );
  const metrics = ownFigures(kind, dev.answers, fitted.devAnswers);
  const version = await publishCompared(options, {
    candidate,
    weights: {
      kind: "trained",
      labels,
      tensors,
      task: kind.name,
      adapter: fitted.adapter,
      ...base.fittedOn,
      metrics,
      evidence: encodeEvidence(candidate.evidence),
      job: job.id,
    },
  });
  say(`Version ${version.number}: ${figureText(kind, metrics)}`, {
    values: eventFigures(kind, version.metrics),
  });
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
    rank: adapterKinds[adapter].usualRank,
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
    { type: "instant_version", values: eventFigures(kind, weights.metrics) },
  );
  const served = await servedOf({ caller, store }, model);
  return present(served, "a version was published just now");
}

interface FitParts extends TrainModelOptions {
  readonly chosen: Hyperparameters;
  readonly adapter: AdapterSpecification;
  /** It has room for what is answered beside the examples. */
  readonly kept: KeptStates;
  readonly served: Served;
}

/** Trains, and answers what was held out from this or from the served version. */
async function fitAndAnswer(
  examples: TrainingExamples,
  { base, job, signal, say, chosen, adapter, kept, served }: FitParts,
): Promise<{ readonly fitted: Fitted; readonly candidate: Candidate }> {
  const { kind, labels, train, dev } = examples;
  const { pooling } = base.checkpoint;
  const pace = new Pace(signal);
  const seen = await distinctDigests(train.digests, pace);
  const rows = othersOf(served, { seen, held: new Set(examples.dev.digests) });
  const others = await kept.with(sourceOf(rows), signal);
  const task = { kind, train, dev, others, labelCount: labels.length, pooling };
  const fitted = await fit(base, task, {
    ...chosen,
    adapter,
    patience: patience * stretchOf(train.ids.length, chosen.batchSize),
    seed: job.seed,
    signal,
    onProgress: (progress) => {
      const values = progressValues(kind, progress);
      say(progressMessage(kind, progress), { type: "metrics", values });
    },
  });
  const taught = await labelsOf(examples, pace);
  const given = { kind, labels, seen, taught, dev, others: rows, ...fitted };
  return { fitted, candidate: await candidateOf(given, served, pace) };
}

/** The labels of what is trained on. */
async function labelsOf(
  { kind, labels, train }: TrainingExamples,
  pace: Pace,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  await pace.each(train.answers.length, (index) => {
    for (const label of kind.labelsIn(present(train.answers[index], "an answer to each example")))
      found.add(present(labels[label], "a label of the model"));
  });
  return found;
}

/**
 * Publishes the version by the side of the one that is served by then: while a job ran, somebody
 * may have served another one.
 */
async function publishCompared(
  options: TrainModelOptions,
  parts: {
    readonly candidate: Candidate;
    readonly weights: Omit<VersionWeights, "isServed">;
  },
): Promise<Version> {
  const { base, caller, store, creator, model, warn } = options;
  const { candidate, weights } = parts;
  for (let attempt = 1; ; attempt++) {
    const current = await requireModel(store.catalog.of(caller), model);
    const judgement = await judgementOf({ base, caller, store, model: current }, candidate);
    const { figures, damages, verdict, isServed } = judgement;
    for (const damage of damages) warn(damage);
    const metrics = { ...weights.metrics, ...figures };
    const replaces = current.servedVersion;
    try {
      return await creator.publish(caller, model, {
        ...weights,
        metrics,
        verdict,
        isServed,
        replaces,
      });
    } catch (error) {
      const isOvertaken = error instanceof StrataError && error.code === "CONFLICT";
      if (!isOvertaken || attempt === comparisonCountMax) throw error;
    }
  }
}

function progressMessage({ score }: TaskKind, progress: FitProgress): string {
  const { epoch, step, stepCount, loss, devScore } = progress;
  const dev = devScore === undefined ? "" : `, dev ${score.event} ${(100 * devScore).toFixed(1)} %`;
  return `Step ${step}/${stepCount}, epoch ${epoch}: loss ${loss.toFixed(4)}${dev}`;
}

function progressValues({ score }: TaskKind, progress: FitProgress): Record<string, number> {
  const { epoch, step, stepCount, loss, devScore } = progress;
  const dev = devScore === undefined ? {} : { [heldOutPrefix + score.event]: devScore };
  return { epoch, step, total_steps: stepCount, train_loss: loss, ...dev };
}
