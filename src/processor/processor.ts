/**
 * `Processor`: from a request to an answer. Texts of any vPLMs are tokenised, queued, and run
 * together in batches; an answer never depends on who else is in its batch.
 */
import type { Caller } from "../entities/caller.ts";
import type { FoundEntity } from "../tasks/token-classification.ts";

export interface Processor {
  /**
   * Classifies each text. NOT_FOUND when the caller has no such model or version, INVALID_ARGUMENT
   * past a limit, CONTEXT_LENGTH for a text that may not be cut, OVERLOADED when the queue is full,
   * the reason of `signal` when that is aborted.
   */
  classify(caller: Caller, request: ClassifyRequest): Promise<ClassifyAnswer>;
  /** Finds the entities of each text, with a vPLM for token classification; fails alike. */
  classifyTokens(caller: Caller, request: ClassifyRequest): Promise<TokensAnswer>;
  /** Pooled, L2-normalised vectors `[hidden]`, of a base or of a vPLM's adapted layers. */
  embed(caller: Caller, request: EmbedRequest): Promise<EmbedAnswer>;
  close(): Promise<void>;
}

/** Texts, or token ids that the caller has made with the base's tokenizer. */
export type EmbedInputs = readonly string[] | readonly (readonly number[])[];

/** What any request says beside its inputs. */
export interface RequestOptions {
  /** A base's name, a vPLM's id, or `<id>@<version>`. */
  readonly model: string;
  readonly signal?: AbortSignal;
  /** Whether texts beyond the model's tokens are cut (default) or refused. */
  readonly truncate?: boolean;
}

export interface ClassifyRequest extends RequestOptions {
  readonly texts: readonly string[];
}

export interface EmbedRequest extends RequestOptions {
  readonly inputs: EmbedInputs;
}

export interface RequestTimings {
  readonly tokenizeMs: number;
  /** The wait for the version's weights, or for a worker to load what they run on; mostly 0. */
  readonly loadMs: number;
  readonly queueMs: number;
  readonly runMs: number;
}

export interface ClassifyAnswer {
  readonly model: string;
  readonly version: number;
  readonly labels: readonly string[];
  /** One row per text: a probability per label, which add up to 1. */
  readonly probabilities: readonly Float32Array[];
  /** Whether each text was cut to the model's tokens. */
  readonly isTruncated: readonly boolean[];
  /** Tokens that were run, special ones included. */
  readonly tokenCount: number;
  readonly timings: RequestTimings;
}

export interface TokensAnswer {
  readonly model: string;
  readonly version: number;
  /** The entities of each text, in the order of their places. */
  readonly entities: readonly (readonly FoundEntity[])[];
  /** Whether each text was cut to the model's tokens: nothing is found behind them. */
  readonly isTruncated: readonly boolean[];
  readonly tokenCount: number;
  readonly timings: RequestTimings;
}

export interface EmbedAnswer {
  readonly model: string;
  readonly embeddings: readonly Float32Array[];
  /** Whether each text was cut to the model's tokens; never for token ids. */
  readonly isTruncated: readonly boolean[];
  readonly tokenCount: number;
  readonly timings: RequestTimings;
}
