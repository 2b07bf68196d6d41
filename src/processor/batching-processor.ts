/** The `Processor` of a server: resolves, checks, tokenises, pins the adapter, queues, answers. */
import type { Pooling } from "../entities/base-model.ts";
import type { Digest } from "../foundation/digest.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Encoded } from "../checkpoints/checkpoints.ts";
import type { AdapterPool, Resident } from "./adapter-pool.ts";
import type { SequenceAnswer } from "./engine.ts";
import type { ModelDirectory, Resolved } from "./model-directory.ts";
import type { OpenBase } from "./open-base.ts";
import type {
  ClassifyAnswer,
  EmbedAnswer,
  EmbedInputs,
  Processor,
  RequestOptions,
  RequestTimings,
} from "./processor.ts";

export interface BatchingProcessorOptions {
  readonly directory: ModelDirectory;
  readonly pool: AdapterPool;
  readonly bases: ReadonlyMap<string, OpenBase>;
  readonly clock: Clock;
  /** Ends what the processor runs on. */
  close(): Promise<void>;
}

/** A request that is ready to be queued. */
interface Prepared {
  readonly base: OpenBase;
  readonly flow: string;
  readonly ids: readonly Int32Array[];
  readonly isTruncated: readonly boolean[];
  readonly tokenizeMs: number;
  readonly options: RequestOptions;
  readonly version?: {
    readonly blob: Digest;
    readonly rank: number;
    readonly labelCount: number;
    readonly pooling: Pooling;
  };
}

export class BatchingProcessor implements Processor {
  readonly #options: BatchingProcessorOptions;

  constructor(options: BatchingProcessorOptions) {
    this.#options = options;
  }

  async classify(
    name: string,
    texts: readonly string[],
    options: RequestOptions = {},
  ): Promise<ClassifyAnswer> {
    const resolved = await this.#options.directory.resolve(name);
    if (resolved.kind === "base")
      throw new StrataError(
        "INVALID_ARGUMENT",
        `Cannot classify with "${name}": it is a base model and has no labels`,
        { field: "model" },
      );
    const prepared = await this.#prepare(resolved, texts, options);
    const { answers, timings } = await this.#answer(prepared);
    return {
      model: resolved.model.id,
      version: resolved.version.number,
      labels: resolved.version.labels,
      probabilities: answers.map(({ probabilities }) => probabilities),
      isTruncated: prepared.isTruncated,
      tokenCount: tokenCountOf(prepared.ids),
      timings,
    };
  }

  async embed(
    name: string,
    inputs: EmbedInputs,
    options: RequestOptions = {},
  ): Promise<EmbedAnswer> {
    const resolved = await this.#options.directory.resolve(name);
    const prepared = await this.#prepare(resolved, inputs, options);
    const { answers, timings } = await this.#answer(prepared);
    return {
      model: resolved.kind === "base" ? resolved.base : resolved.model.id,
      embeddings: answers.map(({ embedding }) => embedding),
      isTruncated: prepared.isTruncated,
      tokenCount: tokenCountOf(prepared.ids),
      timings,
    };
  }

  async close(): Promise<void> {
    await this.#options.close();
  }

  async #prepare(
    resolved: Resolved,
    inputs: EmbedInputs,
    options: RequestOptions,
  ): Promise<Prepared> {
    const base = this.#options.bases.get(resolved.base);
    if (base === undefined)
      throw new StrataError(
        "CONFLICT",
        `Cannot call the model: its base "${resolved.base}" is not loaded on this server`,
        { field: "model" },
      );
    checkCount(inputs.length);
    base.engine.admit(inputs.length);
    const startMs = this.#options.clock.monotonic();
    const { ids, isTruncated } = await encodedOf(base, inputs, options);
    const tokenizeMs = this.#options.clock.monotonic() - startMs;
    if (tokenCountOf(ids) > limits.requestTokensMax)
      throw tooMuch("input", limits.requestTokensMax, `${tokenCountOf(ids)} tokens`);
    const common = { base, ids, isTruncated, tokenizeMs, options };
    if (resolved.kind === "base") return { ...common, flow: resolved.base };
    const { blob, rank, pooling } = resolved.version;
    const labelCount = resolved.version.labels.length;
    return { ...common, flow: resolved.model.id, version: { blob, rank, pooling, labelCount } };
  }

  async #answer(
    prepared: Prepared,
  ): Promise<{ readonly answers: readonly SequenceAnswer[]; readonly timings: RequestTimings }> {
    const { version, base } = prepared;
    const { pool } = this.#options;
    const resident = version === undefined ? undefined : await pool.acquire(version.blob);
    try {
      // Tokenising and loading took time, in which others may have filled the queue.
      base.engine.admit(prepared.ids.length);
      const answers = await this.#submit(prepared, resident);
      const longest = (part: (answer: SequenceAnswer) => number): number =>
        answers.reduce((most, answer) => Math.max(most, part(answer)), 0);
      const queueMs = longest((answer) => answer.queueMs);
      const runMs = longest((answer) => answer.runMs);
      return { answers, timings: { tokenizeMs: prepared.tokenizeMs, queueMs, runMs } };
    } finally {
      if (version !== undefined) pool.release(version.blob);
    }
  }

  /** Waits for every sequence, so that none still reads the adapter when it is released. */
  async #submit(prepared: Prepared, resident: Resident | undefined): Promise<SequenceAnswer[]> {
    const { base, flow, ids, options, version } = prepared;
    const row = {
      flow,
      resident,
      pooling: version?.pooling ?? base.checkpoint.pooling,
      rank: version?.rank ?? 0,
      labelCount: version?.labelCount ?? 0,
    };
    const requests = ids.map((sequence) => ({ ...row, ids: sequence }));
    const settled = await Promise.allSettled(base.engine.submit(requests, options.signal));
    return settled.map((outcome) => {
      if (outcome.status === "rejected") throw outcome.reason;
      return outcome.value;
    });
  }
}

function tokenCountOf(ids: readonly Int32Array[]): number {
  return ids.reduce((sum, { length }) => sum + length, 0);
}

async function encodedOf(
  base: OpenBase,
  inputs: EmbedInputs,
  options: RequestOptions,
): Promise<Encoded> {
  if (inputs.every((input) => typeof input === "string")) {
    checkCharacters(inputs);
    const encoded = await base.tokenizer.encode(inputs);
    const cut = options.truncate === false ? encoded.isTruncated.indexOf(true) : -1;
    if (cut >= 0) throw tooLong(`input[${cut}]`, base.checkpoint.tokensMax, "more");
    return encoded;
  }
  const ids = inputs.map((input, index) => checkedIds(base, input, `input[${index}]`));
  return { ids, isTruncated: ids.map(() => false) };
}

function checkedIds(base: OpenBase, input: string | readonly number[], field: string): Int32Array {
  const { vocabularySize } = base.tokenizer.tokenizer;
  const { tokensMax } = base.checkpoint;
  if (typeof input === "string" || input.length === 0)
    throw new StrataError("INVALID_ARGUMENT", `Cannot read "${field}": expected token ids`, {
      field,
    });
  if (input.length > tokensMax) throw tooLong(field, tokensMax, String(input.length));
  const wrong = input.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong !== undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot read "${field}": expected token ids below ${vocabularySize}, got ${wrong}`,
      { field },
    );
  return Int32Array.from(input);
}

function checkCount(count: number): void {
  if (count === 0)
    throw new StrataError("INVALID_ARGUMENT", `Cannot read "input": it is empty`, {
      field: "input",
    });
  if (count > limits.inputCountMax) throw tooMuch("input", limits.inputCountMax, `${count} texts`);
}

function checkCharacters(texts: readonly string[]): void {
  let total = 0;
  for (const [index, { length }] of texts.entries()) {
    const field = `input[${index}]`;
    if (length === 0)
      throw new StrataError("INVALID_ARGUMENT", `Cannot read "${field}": it is empty`, { field });
    if (length > limits.inputCharactersMax)
      throw tooMuch(field, limits.inputCharactersMax, `${length} characters`);
    total += length;
  }
  if (total > limits.requestCharactersMax)
    throw tooMuch("input", limits.requestCharactersMax, `${total} characters`);
}

function tooLong(field: string, tokensMax: number, got: string): StrataError {
  const message = `Cannot read "${field}": expected at most ${tokensMax} tokens, got ${got}`;
  return new StrataError("CONTEXT_LENGTH", message, { field });
}

function tooMuch(field: string, limit: number, got: string): StrataError {
  const message = `Cannot read "${field}": expected at most ${limit}, got ${got}`;
  return new StrataError("INVALID_ARGUMENT", message, { field });
}
