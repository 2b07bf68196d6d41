/**
 * Components below HTTP without a base model: what they answer is a function of what they are
 * asked, and what they keep lies in a memory store. For tests of the interface itself.
 */
import { EventEmitter, once } from "node:events";
import { weightsOf as rampsOf } from "../creator/exam-model.ts";
import { createCreator } from "../creator/store-creator.ts";
import type { Creator, VersionWeights } from "../creator/creator.ts";
import type { BaseModel } from "../entities/base-model.ts";
import { exampleBase, exampleConfig } from "../entities/exam-base.ts";
import { type Caller, operator } from "../entities/caller.ts";
import {
  advance,
  isFinished,
  type Job,
  type JobEvent,
  type JobSpecification,
  queuedJob,
} from "../entities/job.ts";
import type { Files } from "../files/files.ts";
import { createFiles } from "../files/store-files.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { type Ids, systemIds } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { checkTask } from "../processor/batching-processor.ts";
import { resolveModel } from "../processor/model-directory.ts";
import type { AnswerFacts, ModelRequest, Processor, Question } from "../processor/processor.ts";
import { embeddingsQuestion, entitiesQuestion, labelsQuestion } from "../processor/questions.ts";
import { type FoundEntity, tokenClassification } from "../tasks/token-classification.ts";
import type { Version } from "../entities/virtual-model.ts";
import { present } from "../foundation/assert.ts";
import { requireRow } from "../storage/checks.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Store, StoreDriver } from "../storage/storage.ts";
import { readTrainable } from "../trainer/examples.ts";
import { checkJob } from "../trainer/job-checks.ts";
import type { InstantSpecification, Trainer } from "../trainer/trainer.ts";
import { operatorKey } from "./authentication.ts";
import type { Services } from "./services.ts";

export const standInBase: BaseModel = {
  ...exampleBase("tiny"),
  config: { ...exampleConfig, hiddenSize: 8 },
  tokensMax: 32,
  createdAt: 1_700_000_000_000,
};

export const standInKey = "sk-stand-in";

/** A text that finds the queue full. */
export const overloadingText = "overload";
/** A text, or a label, that is never answered before its signal says so. */
export const stuckText = "stuck";

/** The store is at hand, its bytes too. */
export interface StandInServices extends Services {
  readonly store: StoreDriver;
}

/** A vPLM of `tiny` that finds entities, called `name`. */
export async function createFinder({ creator }: Services, name: string): Promise<void> {
  const [task, labels] = [tokenClassification.name, ["ham", "spam"]];
  const model = await creator.create(operator, { id: name, base: standInBase.id, task, labels });
  const outputCount = tokenClassification.outputCount(labels.length);
  const { tensors: _, ...rest } = weightsOf("instant");
  const tensors = new Map([
    ["head.weight", { shape: [outputCount, 8], values: new Float32Array(8 * outputCount) }],
    ["head.bias", { shape: [outputCount], values: new Float32Array(outputCount) }],
  ]);
  await creator.publish(operator, model, { ...rest, tensors, task });
}

/** Services with one base, `tiny`, and one vPLM, `spam`. */
export async function standInServices(clock: Clock): Promise<StandInServices> {
  const store = createMemoryStore();
  const creator = createCreator({ store, clock, ids: systemIds });
  const files = createFiles({ store, clock, ids: systemIds });
  await store.catalog.bases.insert(standInBase);
  const spam = await creator.create(operator, {
    id: "spam",
    base: "tiny",
    labels: ["ham", "spam"],
  });
  await creator.publish(operator, spam, weightsOf("instant"));
  return {
    store,
    creator,
    files,
    trainer: new StandInTrainer({ store, files, creator, clock, ids: systemIds }),
    processor: new StandInProcessor(store),
    telemetry: silentTelemetry,
    clock,
    ids: systemIds,
    authenticator: operatorKey(standInKey),
    version: "0.0.0",
    metricsText: () => Promise.resolve("# no metrics\n"),
  };
}

export function weightsOf(kind: "instant" | "trained"): VersionWeights {
  return { ...rampsOf(0, true, 2 * standInBase.config.hiddenSize), kind, labels: ["ham", "spam"] };
}

const timings = { tokenizeMs: 0.25, loadMs: 0.125, queueMs: 0.5, runMs: 1 };

/** What a question is answered with, beside what every answer tells. */
type StandInAnswer = (texts: readonly string[], version: Version | undefined) => object;

/**
 * A text's first character decides its label and its vector; every word that begins with a capital
 * is an entity of the first label.
 */
const standInAnswers: ReadonlyMap<unknown, StandInAnswer> = new Map<unknown, StandInAnswer>([
  [labelsQuestion, labelsOf],
  [entitiesQuestion, entitiesOf],
  [embeddingsQuestion, (texts) => ({ embeddings: texts.map((text) => vector(text)) })],
]);

function labelsOf(texts: readonly string[], version: Version | undefined) {
  const { labels, number } = present(version, "bases are refused");
  const rows = texts.map((text) => probabilities(text, labels.length));
  return { version: number, labels, probabilities: rows };
}

function entitiesOf(texts: readonly string[], version: Version | undefined) {
  const { labels, number } = present(version, "bases are refused");
  const found = (text: string): readonly FoundEntity[] =>
    Array.from(text.matchAll(/[A-Z]\w*/g), ({ 0: word, index: start }) => {
      const place = { start, end: start + word.length, word };
      return { label: labels[0] ?? "", score: 0.75, ...place };
    });
  return { version: number, entities: texts.map(found) };
}

/** A word is a token. */
class StandInProcessor implements Processor {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async ask<Answer extends AnswerFacts>(
    caller: Caller,
    question: Question<Answer>,
    request: ModelRequest,
  ): Promise<Answer> {
    const { model: name, inputs } = request;
    const resolved = await resolveModel(caller, this.#store.catalog, name);
    if (question.task !== undefined) checkTask(resolved, question.task, name);
    const version = resolved.kind === "base" ? undefined : resolved.version;
    const { hiddenSize } = standInBase.config;
    request.checkAnswer?.({ labels: version?.labels ?? [], hiddenSize });
    const texts = inputs.map((input) => (typeof input === "string" ? input : input.join(" ")));
    await admit(texts, request);
    const facts: AnswerFacts = {
      model: resolved.kind === "base" ? name : resolved.model.id,
      isTruncated: texts.map(isLong),
      tokenCount: wordCount(texts),
      timings,
    };
    const own = present(standInAnswers.get(question), "a stand-in")(texts, version);
    return { ...facts, ...own } as Answer; // The two parts that an answer has.
  }
}

async function admit(texts: readonly string[], request: ModelRequest): Promise<void> {
  if (texts.includes(overloadingText))
    throw new StrataError("OVERLOADED", "Cannot queue: it is full", { retryAfterMs: 20 });
  if (request.truncate === false && wordCount(texts) > standInBase.tokensMax)
    throw new StrataError("CONTEXT_LENGTH", "Cannot read the text: it is too long", {
      field: "input[0]",
    });
  if (texts.includes(stuckText)) await stopped(request.signal);
}

function stopped(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new Error("stopped")));
  });
}

function probabilities(text: string, count: number): Float32Array {
  const chosen = (text.codePointAt(0) ?? 0) % count;
  return Float32Array.from({ length: count }, (_, index) =>
    index === chosen ? 0.75 : 0.25 / (count - 1),
  );
}

/** A vector of length 1: 0.6 and 0.8 in the two places that the text's first character names. */
function vector(text: string): Float32Array {
  const place = (text.codePointAt(0) ?? 0) % 7;
  return Float32Array.from({ length: 8 }, (_, index) => {
    if (index === place) return 0.6;
    return index === place + 1 ? 0.8 : 0;
  });
}

function wordCount(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0);
}

function isLong(text: string): boolean {
  return wordCount([text]) > standInBase.tokensMax;
}

interface TrainerParts {
  readonly store: Store;
  readonly files: Files;
  readonly creator: Creator;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** A job waits a little, in which it can be cancelled, and then has succeeded. */
class StandInTrainer implements Trainer {
  readonly #parts: TrainerParts;
  /** Emits `event <job>` and `end <job>`. */
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  constructor(parts: TrainerParts) {
    this.#parts = parts;
  }

  async submit(caller: Caller, specification: JobSpecification): Promise<Job> {
    const { store, clock, ids } = this.#parts;
    const known = await checkJob(caller, { ...this.#parts, checkBase() {} }, specification);
    const job = queuedJob(specification, {
      id: ids.next("ftjob-"),
      target: known ?? { incarnation: ids.next("vplm-") },
      createdAt: clock.now(),
    });
    await store.catalog.of(caller).jobs.insert(job);
    await this.#tell(caller, job, "The job is queued");
    clock.schedule(100, () => void this.#finish(caller, job.id));
    return job;
  }

  async fitInstant(
    caller: Caller,
    { trainingFile: id, signal }: InstantSpecification,
  ): Promise<VersionWeights> {
    const wanted = { id, field: "training_file", signal };
    const { labels } = await readTrainable(caller, this.#parts.files, wanted);
    if (labels.includes(stuckText)) await stopped(signal);
    return { ...weightsOf("instant"), labels };
  }

  async cancel(caller: Caller, id: string): Promise<Job> {
    const job = await this.#job(caller, id);
    if (isFinished(job.status))
      throw new StrataError("CONFLICT", `Cannot cancel "${id}": it has finished`);
    return this.#end(caller, advance(job, "cancelled"));
  }

  async finished(caller: Caller, id: string): Promise<Job> {
    const job = await this.#job(caller, id);
    if (isFinished(job.status)) return job;
    await once(this.#emitter, `end ${id}`);
    return this.#job(caller, id);
  }

  watch(_: Caller, id: string, listener: (event: JobEvent) => void): () => void {
    this.#emitter.on(`event ${id}`, listener);
    return () => this.#emitter.off(`event ${id}`, listener);
  }

  async start(): Promise<void> {}
  async close(): Promise<void> {}

  async #finish(caller: Caller, id: string): Promise<void> {
    const { store, creator } = this.#parts;
    const { jobs, models } = store.catalog.of(caller);
    const job = await jobs.get(id);
    if (job?.status !== "queued") return;
    const { incarnation, requestedModel: base } = job;
    const model = job.model ?? `ft:${base}:strata:${job.suffix ?? ""}:${id.slice(6)}`;
    if (job.model === undefined)
      await creator.create(caller, { id: model, incarnation, base, labels: ["ham", "spam"] });
    else if ((await models.get(model))?.incarnation !== incarnation) return;
    await creator.publish(caller, { id: model, incarnation }, weightsOf("trained"));
    await this.#tell(caller, job, "The job has succeeded");
    const change = { model, trainedTokens: 64 };
    await this.#end(caller, advance(advance(job, "running"), "succeeded", change));
  }

  async #end(caller: Caller, job: Job): Promise<Job> {
    const { store, clock } = this.#parts;
    const ended = { ...job, finishedAt: clock.now() };
    await store.catalog.of(caller).jobs.update(ended);
    this.#emitter.emit(`end ${job.id}`);
    return ended;
  }

  #job(caller: Caller, id: string): Promise<Job> {
    const { jobs } = this.#parts.store.catalog.of(caller);
    return requireRow("job", jobs, { id, field: "id" });
  }

  #tell(caller: Caller, job: Job, message: string): Promise<void> {
    const { store, clock, ids } = this.#parts;
    const event: JobEvent = {
      id: ids.next("ftevent-"),
      job: job.id,
      level: "info",
      type: "message",
      message,
      values: {},
      createdAt: clock.now(),
    };
    this.#emitter.emit(`event ${job.id}`, event);
    return store.catalog.of(caller).events.append(event);
  }
}
