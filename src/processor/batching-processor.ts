/** The `Processor` of a server: resolves, checks, tokenises, queues, answers. */
import type { Caller } from "../entities/caller.ts";
import type { TaskName } from "../entities/virtual-model.ts";
import { faultOfShapes } from "../entities/weights.ts";
import type { Encoded } from "../formats/formats.ts";
import { present } from "../foundation/assert.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { faultOfFit } from "../models/version-fit.ts";
import { versionTensors } from "../models/version-tensors.ts";
import type { Flow } from "../scheduling/flow.ts";
import { notFound, unlessDeleted } from "../storage/checks.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import { entitiesFound, type FoundEntity } from "../tasks/token-classification.ts";
import type { WantedWeights } from "./adapter-pool.ts";
import type { BatchRow } from "./batch.ts";
import type { Engine } from "./engine.ts";
import {
  checkInputs,
  encodeInputs,
  encodeWords,
  foreseenTokenCount,
  tokenCountOf,
} from "./inputs.ts";
import type { Lane } from "./lane.ts";
import type { ModelDirectory, Resolved, ResolvedVersion } from "./model-directory.ts";
import type { OpenBase } from "./open-base.ts";
import type { Place } from "./places.ts";
import type {
  ClassifyAnswer,
  ClassifyRequest,
  EmbedAnswer,
  EmbedRequest,
  Processor,
  RequestOptions,
  RequestTimings,
  TokensAnswer,
} from "./processor.ts";
import type { SequenceAnswer } from "./sequence.ts";
import type { TextAnswer } from "./text-lane.ts";

export interface BatchingProcessorOptions {
  readonly directory: ModelDirectory;
  readonly engine: Engine;
  readonly bases: ReadonlyMap<string, OpenBase>;
  /** Why a base that is none of these is not served, in words that end a sentence. */
  readonly whyRefused: (base: string) => string;
  readonly clock: Clock;
  /** Ends what the processor runs on. */
  close(): Promise<void>;
}

/** What is asked of a base, and how inputs become its sequences. */
interface Question<Answer, E extends Encoded> {
  lane(base: OpenBase): Lane<Answer>;
  encode(base: OpenBase): Promise<E>;
}

/** A request whose texts are tokens. */
interface Prepared<Answer> {
  readonly base: OpenBase;
  readonly lane: Lane<Answer>;
  readonly resolved: Resolved;
  readonly flow: Flow;
  readonly ids: readonly Int32Array[];
  readonly options: RequestOptions;
  readonly place: Place;
}

interface Ran<Answer, E extends Encoded> {
  readonly answers: readonly Answer[];
  readonly encoded: E;
  readonly tokenCount: number;
  readonly timings: RequestTimings;
}

export class BatchingProcessor implements Processor {
  readonly #options: BatchingProcessorOptions;

  constructor(options: BatchingProcessorOptions) {
    this.#options = options;
  }

  async classify(caller: Caller, request: ClassifyRequest): Promise<ClassifyAnswer> {
    const resolved = await this.#versionFor(caller, request, "text-classification");
    const asked = { ...request, inputs: request.texts };
    const ran = await this.#run(caller, resolved, asked, textQuestion(asked));
    return {
      model: resolved.model.id,
      version: resolved.version.number,
      labels: resolved.version.labels,
      probabilities: ran.answers.map(({ probabilities }) => probabilities),
      ...factsOf(ran),
    };
  }

  async classifyTokens(caller: Caller, request: ClassifyRequest): Promise<TokensAnswer> {
    const resolved = await this.#versionFor(caller, request, "token-classification");
    const { texts } = request;
    const ran = await this.#run(
      caller,
      resolved,
      { ...request, inputs: texts },
      {
        lane: ({ tokens }) => tokens,
        encode: (base) => encodeWords(base, texts, request),
      },
    );
    const { labels, number } = resolved.version;
    const entities: (readonly FoundEntity[])[] = [];
    await new Pace(request.signal).each(texts.length, (index) => {
      const text = present(texts[index], "a text for each answer");
      const words = present(ran.encoded.words[index], "words of each text");
      const outputs = present(ran.answers[index], "an answer to each text");
      entities.push(entitiesFound({ text, words, labels, ...outputs }));
    });
    return { model: resolved.model.id, version: number, entities, ...factsOf(ran) };
  }

  async embed(caller: Caller, request: EmbedRequest): Promise<EmbedAnswer> {
    const resolved = await this.#options.directory.resolve(caller, request.model);
    const ran = await this.#run(caller, resolved, request, textQuestion(request));
    return {
      model: resolved.kind === "base" ? resolved.base : resolved.model.id,
      embeddings: ran.answers.map(({ embedding }) => embedding),
      ...factsOf(ran),
    };
  }

  async close(): Promise<void> {
    await this.#options.close();
  }

  /** The version that a request names; INVALID_ARGUMENT for a base, or for one of another task. */
  async #versionFor(
    caller: Caller,
    { model: name }: RequestOptions,
    task: TaskName,
  ): Promise<ResolvedVersion> {
    const resolved = await this.#options.directory.resolve(caller, name);
    const own = resolved.kind === "base" ? undefined : resolved.version.task;
    if (resolved.kind === "version" && own === task) return resolved;
    const state =
      own === undefined
        ? "it is a base model and has no labels"
        : `its task is ${own}, which ${routes[own]} answers`;
    throw new StrataError("INVALID_ARGUMENT", `Cannot classify with "${name}": ${state}`, {
      field: "model",
    });
  }

  /** Checks, takes a place, and answers. */
  async #run<Answer, E extends Encoded>(
    ...[caller, resolved, request, question]: readonly [
      Caller,
      Resolved,
      EmbedRequest,
      Question<Answer, E>,
    ]
  ): Promise<Ran<Answer, E>> {
    const { inputs, ...options } = request;
    const base = this.#options.bases.get(resolved.base);
    if (base === undefined) throw this.#notServed(resolved);
    checkInputs(base, inputs);
    const flow = flowOf(caller, resolved);
    const lane = question.lane(base);
    const place = this.#options.engine.admit({
      lane,
      flow,
      sequenceCount: inputs.length,
      tokenCount: foreseenTokenCount(base, inputs),
    });
    try {
      const startMs = this.#options.clock.monotonic();
      const encoded = await question.encode(base);
      const { ids } = encoded;
      const tokenizeMs = this.#options.clock.monotonic() - startMs;
      place.correct(tokenCountOf(ids));
      const sequences = await unlessDeleted(
        this.#answer({ base, lane, resolved, flow, ids, options, place }),
        () => this.#checkStays(caller, resolved),
      );
      const longest = (part: (sequence: SequenceAnswer<Answer>) => number): number =>
        sequences.reduce((most, sequence) => Math.max(most, part(sequence)), 0);
      const timings = {
        tokenizeMs,
        loadMs: longest(({ loadMs }) => loadMs),
        queueMs: longest(({ queueMs }) => queueMs),
        runMs: longest(({ runMs }) => runMs),
      };
      const answers = sequences.map(({ answer }) => answer);
      return { answers, encoded, tokenCount: tokenCountOf(ids), timings };
    } finally {
      place.leave();
    }
  }

  /** NOT_FOUND when the version has been deleted since it was found. */
  async #checkStays(caller: Caller, resolved: Resolved): Promise<void> {
    if (resolved.kind === "base") return;
    const { model, version } = resolved;
    const now = await this.#options.directory.resolve(caller, `${model.id}@${version.number}`);
    if (now.kind === "base" || now.model.incarnation !== model.incarnation)
      throw notFound("model", model.id, "model");
  }

  #notServed(resolved: Resolved): StrataError {
    const name = resolved.kind === "base" ? resolved.base : resolved.model.id;
    const state = this.#options.whyRefused(resolved.base);
    return new StrataError("CONFLICT", `Cannot call "${name}": ${state}`, { field: "model" });
  }

  async #answer<Answer>(prepared: Prepared<Answer>): Promise<readonly SequenceAnswer<Answer>[]> {
    const { resolved, base } = prepared;
    if (resolved.kind === "base") {
      const { pooling } = base.checkpoint;
      return this.#submit(prepared, { pooling, adapter: undefined, outputCount: 0 }, undefined);
    }
    const { config } = base.checkpoint;
    const open = { config, form: "dense", adapters: prepared.lane.adapters } as const;
    const fault = faultOfFit(resolved.version, open);
    if (fault !== undefined) throwNamed(resolved, new StrataError(fault.code, fault.state));
    const { blob, task, adapter, pooling, shapes } = resolved.version;
    const outputCount = taskKinds[task].outputCount(resolved.version.labels.length);
    const tensors = versionTensors(config, { adapter, outputCount });
    const recorded = shapes && faultOfShapes(new Map(Object.entries(shapes)), tensors);
    if (recorded !== undefined) throwNamed(resolved, new StrataError("CORRUPT", recorded));
    return this.#submit(prepared, { pooling, adapter, outputCount }, { blob, tensors });
  }

  async #submit<Answer>(
    { lane, resolved, flow, ids, options, place }: Prepared<Answer>,
    version: Omit<BatchRow, "ids" | "resident">,
    weights: WantedWeights | undefined,
  ): Promise<readonly SequenceAnswer<Answer>[]> {
    const requests = ids.map((sequence) => ({
      lane,
      flow,
      row: { ...version, ids: sequence },
      weights,
    }));
    // From here on the queue counts it.
    place.leave();
    const settled = await Promise.allSettled(this.#options.engine.submit(requests, options.signal));
    return settled.map((outcome) => {
      if (outcome.status === "rejected") throwNamed(resolved, outcome.reason);
      return outcome.value;
    });
  }
}

/** The route on which a model of each task is called, for those who have called it elsewhere. */
const routes: Readonly<Record<TaskName, string>> = {
  "text-classification": "POST /v1/classify",
  "token-classification": "POST /v1/classify-tokens",
};

function textQuestion(request: EmbedRequest): Question<TextAnswer, Encoded> {
  return {
    lane: ({ texts }) => texts,
    encode: (base) => encodeInputs(base, request.inputs, request),
  };
}

/** What every answer tells beside itself. */
function factsOf({ encoded, tokenCount, timings }: Omit<Ran<unknown, Encoded>, "answers">) {
  return { isTruncated: encoded.isTruncated, tokenCount, timings };
}

/**
 * Sequences of one model share turns in the queue; a later one of its name owes it nothing. Those
 * of a base, which tenants share, are each tenant's own flow.
 */
function flowOf({ tenant }: Caller, resolved: Resolved): Flow {
  const id = resolved.kind === "base" ? `${tenant} ${resolved.base}` : resolved.model.incarnation;
  return { id, weight: 1, deadlineMs: limits.queueWaitMsMax };
}

/** What is wrong with the weights is told of the version, or the base, that was asked for. */
function throwNamed(resolved: Resolved, error: unknown): never {
  if (!(error instanceof StrataError) || !["CORRUPT", "CONFLICT", "INTERNAL"].includes(error.code))
    throw error;
  const asked =
    resolved.kind === "base"
      ? `"${resolved.base}"`
      : `version ${resolved.version.number} of "${resolved.model.id}"`;
  const message = `Cannot answer with ${asked}: ${error.message}`;
  throw new StrataError(error.code, message, { cause: error });
}
