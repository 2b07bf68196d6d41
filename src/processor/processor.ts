/**
 * `Processor`: from a request to an answer. Texts of any vPLMs are tokenised, queued, and run
 * together in batches; an answer never depends on who else is in its batch.
 */
import type { Caller } from "../entities/caller.ts";
import type { Encoded } from "../formats/formats.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Lane } from "../lanes/lane.ts";
import type { Resolved } from "./model-directory.ts";
import type { OpenBase } from "./open-base.ts";

export interface Processor {
  /**
   * Puts a question to a model about each input. NOT_FOUND when the caller has no such model or
   * version, INVALID_ARGUMENT past a limit or for a model of another task, CONTEXT_LENGTH for a
   * text that may not be cut, OVERLOADED when the queue is full, the reason of the request's signal
   * when that is aborted.
   */
  ask<Answer extends AnswerFacts>(
    caller: Caller,
    question: Question<Answer>,
    request: ModelRequest,
  ): Promise<Answer>;
}

/**
 * What can be asked of a model, from inputs to an answer: whose task it is, on which lane it runs,
 * how inputs become sequences, and what the lane's answers mean. `questions.ts` has them.
 */
export interface Question<Answer extends AnswerFacts, Raw = unknown> {
  /** The task of the models that can answer; undefined where every one can, and a bare base. */
  readonly task: TaskName | undefined;
  lane(base: OpenBase): Lane<Raw>;
  /** The sequences of checked inputs. */
  encode(base: OpenBase, request: ModelRequest): Promise<Encoded>;
  /** What the lane's answers mean, beside what every answer tells. */
  decode(ran: Ran<Raw>): OwnPart<Answer> | Promise<OwnPart<Answer>>;
}

/** A question that was run: lane and encoding are the question's own. */
export interface Ran<Raw = unknown, E extends Encoded = Encoded, R extends Resolved = Resolved> {
  readonly request: ModelRequest;
  readonly resolved: R;
  readonly encoded: E;
  /** One per input. */
  readonly answers: readonly Raw[];
}

export type OwnPart<Answer extends AnswerFacts> = Omit<Answer, keyof AnswerFacts>;

/**
 * Texts, or token ids that the caller has made with the base's tokenizer, for embeddings alone; as
 * many, as long and of such numbers as the schemas of the contract take.
 */
export type ModelInputs = readonly string[] | readonly (readonly number[])[];

export interface ModelRequest {
  /** A base's name, a vPLM's id, or `<id>@<version>`. */
  readonly model: string;
  readonly inputs: ModelInputs;
  /** Whether the caller has sent one by itself: faults then blame `input`, no place in a list. */
  readonly isSingle?: boolean;
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
