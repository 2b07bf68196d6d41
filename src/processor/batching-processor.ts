/** The `Processor` of a server: resolves, checks, tokenises, queues, answers. */
import type { Caller } from "../entities/caller.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Digest } from "../foundation/digest.ts";
import { type ErrorCode, StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Log } from "../foundation/telemetry.ts";
import type { Flow } from "../scheduling/flow.ts";
import { modelDeleted } from "../storage/checks.ts";
import { readFound } from "../storage/served-version.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { WantedWeights } from "../engine/adapter-pool.ts";
import type { Engine } from "../engine/engine.ts";
import { checkInputs, foreseenTokenCount, tokenCountOf } from "./inputs.ts";
import type { Lane } from "../lanes/lane.ts";
import type { ModelDirectory, Resolved, ResolvedVersion } from "./model-directory.ts";
import type { OpenBase } from "./open-base.ts";
import type { Place } from "../engine/places.ts";
import type {
  AnswerFacts,
  ModelRequest,
  Processor,
  Question,
  RequestTimings,
} from "./processor.ts";
import type { SequenceAnswer } from "../engine/sequence.ts";
import { type RowKind, Servables } from "./servables.ts";

export interface BatchingProcessorOptions {
  readonly directory: ModelDirectory;
  readonly engine: Engine;
  readonly bases: ReadonlyMap<string, OpenBase>;
  /** Why a base that is none of these is not served, in words that end a sentence. */
  readonly whyRefused: (base: string) => string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A request whose model is known. */
interface Asked {
  readonly caller: Caller;
  readonly base: OpenBase;
  readonly lane: Lane;
  readonly resolved: Resolved;
  readonly flow: Flow;
  readonly request: ModelRequest;
}

export class BatchingProcessor implements Processor {
  readonly #options: BatchingProcessorOptions;
  readonly #servables = new Servables();
  /** Bases of which it was told that versions of another precision are called. */
  readonly #toldBases = new Set<string>();

  constructor(options: BatchingProcessorOptions) {
    this.#options = options;
  }

  async ask<Answer extends AnswerFacts>(
    caller: Caller,
    question: Question<Answer>,
    request: ModelRequest,
  ): Promise<Answer> {
    const first = await this.#resolve(caller, question, request);
    const { base, lane, flow } = first;
    const { inputs } = request;
    checkInputs(base, request);
    const place = this.#options.engine.admit({
      lane,
      flow,
      sequenceCount: inputs.length,
      tokenCount: foreseenTokenCount(base, inputs),
    });
    try {
      const startMs = this.#options.clock.monotonic();
      const encoded = await question.encode(base, request);
      const tokenizeMs = this.#options.clock.monotonic() - startMs;
      const tokenCount = tokenCountOf(encoded.ids);
      place.correct(tokenCount);
      let found: Asked | undefined = first;
      const find = async (): Promise<Asked> => {
        const asked = found ?? (await this.#resolveAgain(first, question));
        found = undefined;
        return asked;
      };
      const { resolved, sequences } = await readFound({ find, blobOf }, async (asked) => ({
        resolved: asked.resolved,
        sequences: await this.#answer(asked, encoded.ids, place),
      }));
      const answers = sequences.map(({ answer }) => answer);
      const facts = {
        model: resolved.kind === "base" ? resolved.base : resolved.model.id,
        isTruncated: encoded.isTruncated,
        tokenCount,
        timings: timingsOf(tokenizeMs, sequences),
      };
      const own = await question.decode({ request, resolved, encoded, answers });
      return { ...facts, ...own } as Answer; // The two parts that an answer has.
    } finally {
      place.leave();
    }
  }

  /** What answers; CONFLICT when its base is not served. */
  async #resolve<Answer extends AnswerFacts>(
    caller: Caller,
    question: Question<Answer>,
    request: ModelRequest,
  ): Promise<Asked> {
    const resolved = await this.#options.directory.resolve(caller, request.model);
    if (question.task !== undefined) checkTask(resolved, question.task, request.model);
    const base = this.#options.bases.get(resolved.base);
    if (base === undefined) throw this.#notServed(resolved);
    const { hiddenSize } = base.checkpoint.config;
    const labels = resolved.kind === "base" ? [] : resolved.version.labels;
    request.checkAnswer?.({ labels, hiddenSize });
    const flow = flowOf(caller, resolved);
    return { caller, base, lane: question.lane(base), resolved, flow, request };
  }

  /** What answers by now; NOT_FOUND when the model, or the version that was named, is deleted. */
  async #resolveAgain<Answer extends AnswerFacts>(
    { caller, resolved, request }: Asked,
    question: Question<Answer>,
  ): Promise<Asked> {
    const asked = await this.#resolve(caller, question, request);
    const [before, now] = [incarnationOf(resolved), incarnationOf(asked.resolved)];
    if (before !== now) throw modelDeleted(request.model, now !== undefined);
    return asked;
  }

  #notServed(resolved: Resolved): StrataError {
    const name = resolved.kind === "base" ? resolved.base : resolved.model.id;
    const state = this.#options.whyRefused(resolved.base);
    return new StrataError("CONFLICT", `Cannot call "${name}": ${state}`, { field: "model" });
  }

  async #answer(
    asked: Asked,
    ids: readonly Int32Array[],
    place: Place,
  ): Promise<readonly SequenceAnswer[]> {
    const { lane, flow, resolved, request } = asked;
    const { row, weights } = this.#needed(asked);
    const requests = ids.map((own) => ({ lane, flow, row: { ...row, ids: own }, weights }));
    // From here on the queue counts it.
    place.leave();
    const settled = await Promise.allSettled(this.#options.engine.submit(requests, request.signal));
    return settled.map((outcome) => {
      if (outcome.status === "rejected") throwNamed(resolved, outcome.reason);
      return outcome.value;
    });
  }

  #needed({ base, lane, resolved }: Asked): Needed {
    const { pooling, config } = base.checkpoint;
    if (resolved.kind === "base")
      return { row: { pooling, adapter: undefined, outputCount: 0 }, weights: undefined };
    try {
      this.#tellPrecision(base, resolved);
      const { row, tensors } = this.#servables.of(resolved.version, lane, config);
      return { row, weights: { blob: resolved.version.blob, tensors } };
    } catch (error) {
      return throwNamed(resolved, error);
    }
  }

  /**
   * A server that was started with another precision answers with what it has, since the states of
   * both are nearly the same. Its operator is told, once of each base.
   */
  #tellPrecision({ id: base, precision: serving }: OpenBase, { model, version }: ResolvedVersion) {
    if (version.precision === serving || this.#toldBases.has(base)) return;
    this.#toldBases.add(base);
    const { precision: fitted, number } = version;
    const advice = "train them again, or start with the precision that they were fitted on";
    this.#options.log.warn(
      `Versions that were fitted on another precision answer a little otherwise: ${advice}`,
      { base, model: model.id, version: number, fitted, serving },
    );
  }
}

interface Needed {
  readonly row: RowKind;
  readonly weights: WantedWeights | undefined;
}

function incarnationOf(resolved: Resolved): string | undefined {
  return resolved.kind === "base" ? undefined : resolved.model.incarnation;
}

/** The weights that a request reads; undefined for a bare base. */
function blobOf({ resolved }: Asked): Digest | undefined {
  return resolved.kind === "base" ? undefined : resolved.version.blob;
}

/** INVALID_ARGUMENT for a base, or for a version of another task. */
export function checkTask(resolved: Resolved, task: TaskName, name: string): void {
  const own = resolved.kind === "base" ? undefined : resolved.version.task;
  if (own === task) return;
  const state =
    own === undefined
      ? "it is a base model and has no task"
      : `its task is ${own}, which ${taskKinds[own].route} answers`;
  const action = `Cannot ${taskKinds[task].asked} with "${name}"`;
  throw new StrataError("INVALID_ARGUMENT", `${action}: ${state}`, { field: "model" });
}

function timingsOf(tokenizeMs: number, sequences: readonly SequenceAnswer[]): RequestTimings {
  const longest = (part: (sequence: SequenceAnswer) => number): number =>
    sequences.reduce((most, sequence) => Math.max(most, part(sequence)), 0);
  return {
    tokenizeMs,
    loadMs: longest(({ loadMs }) => loadMs),
    queueMs: longest(({ queueMs }) => queueMs),
    runMs: longest(({ runMs }) => runMs),
  };
}

/**
 * Sequences of one model share turns in the queue; a later one of its name owes it nothing. Those
 * of a base, which tenants share, are each tenant's own flow.
 */
function flowOf({ tenant }: Caller, resolved: Resolved): Flow {
  const id = resolved.kind === "base" ? `${tenant} ${resolved.base}` : resolved.model.incarnation;
  return { id, weight: 1, deadlineMs: limits.queueWaitMsMax };
}

const codesOfWeights: readonly ErrorCode[] = ["CORRUPT", "CONFLICT", "INTERNAL", "UNSUPPORTED"];

/** What is wrong with the weights is told of the version, or the base, that was asked for. */
function throwNamed(resolved: Resolved, error: unknown): never {
  if (!(error instanceof StrataError) || !codesOfWeights.includes(error.code)) throw error;
  const asked =
    resolved.kind === "base"
      ? `"${resolved.base}"`
      : `version ${resolved.version.number} of "${resolved.model.id}"`;
  const message = `Cannot answer with ${asked}: ${error.message}`;
  throw new StrataError(error.code, message, { cause: error });
}
