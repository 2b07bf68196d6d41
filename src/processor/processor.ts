/**
 * `Processor`: from a request to an answer. Texts of any vPLMs are tokenised, queued, and run
 * together in batches; an answer never depends on who else is in its batch.
 */
import type { Caller } from "../entities/caller.ts";
import type { FoundEntity } from "../tasks/token-classification.ts";

export interface Processor {
  /**
   * Puts a question to a model about each input. NOT_FOUND when the caller has no such model or
   * version, INVALID_ARGUMENT past a limit or for a model of another task, CONTEXT_LENGTH for a
   * text that may not be cut, OVERLOADED when the queue is full, the reason of the request's signal
   * when that is aborted.
   */
  ask<Q extends QuestionName>(
    caller: Caller,
    question: Q,
    request: ModelRequest,
  ): Promise<Answers[Q]>;
}

/** What can be asked, and what it is answered with; `questions.ts` says how. */
export interface Answers {
  readonly labels: LabelsAnswer;
  readonly entities: EntitiesAnswer;
  readonly embeddings: EmbeddingsAnswer;
}

export type QuestionName = keyof Answers;

/** Texts, or token ids that the caller has made with the base's tokenizer, for embeddings alone. */
export type ModelInputs = readonly string[] | readonly (readonly number[])[];

export interface ModelRequest {
  /** A base's name, a vPLM's id, or `<id>@<version>`. */
  readonly model: string;
  readonly inputs: ModelInputs;
  readonly signal?: AbortSignal;
  /** Whether texts beyond the model's tokens are cut (default) or refused. */
  readonly truncate?: boolean;
  /** Throws when what will answer would answer too much: the one that was found, and no other. */
  checkAnswer?(source: AnswerSource): void;
}

/** What an answer's size depends on. */
export interface AnswerSource {
  /** Empty for a bare base. */
  readonly labels: readonly string[];
  readonly hiddenSize: number;
}

/** What every answer tells beside itself. */
export interface AnswerFacts {
  readonly model: string;
  /** Whether each text was cut to the model's tokens; never for token ids. */
  readonly isTruncated: readonly boolean[];
  /** Tokens that were run, special ones included. */
  readonly tokenCount: number;
  readonly timings: RequestTimings;
}

export interface RequestTimings {
  readonly tokenizeMs: number;
  /** The wait for the version's weights, or for a worker to load what they run on; mostly 0. */
  readonly loadMs: number;
  readonly queueMs: number;
  readonly runMs: number;
}

/** A vPLM for text classification says of each text how probable each label is. */
export interface LabelsAnswer extends AnswerFacts {
  readonly version: number;
  readonly labels: readonly string[];
  /** One row per text: a probability per label, which add up to 1. */
  readonly probabilities: readonly Float32Array[];
}

/** A vPLM for token classification finds the entities of each text. */
export interface EntitiesAnswer extends AnswerFacts {
  readonly version: number;
  /** Those of each text, in the order of their places; nothing is found behind a cut. */
  readonly entities: readonly (readonly FoundEntity[])[];
}

/** A base, or a vPLM's adapted layers, embed each text. */
export interface EmbeddingsAnswer extends AnswerFacts {
  /** Pooled, L2-normalised vectors `[hidden]`. */
  readonly embeddings: readonly Float32Array[];
}
