/** A sequence of the engine: one tokenised text of one vPLM, or of a bare base. */
import type { Flow } from "../scheduling/flow.ts";
import type { WantedWeights } from "./adapter-pool.ts";
import type { BatchRow, Lane } from "../lanes/lane.ts";
import type { Queued } from "./fair-queue.ts";
import type { Needing } from "./weight-loads.ts";

/** What a sequence asks for. */
export interface SequenceRequest<Answer = unknown> {
  readonly lane: Lane<Answer>;
  readonly flow: Flow;
  readonly row: Omit<BatchRow, "resident">;
  /** Those of a request are one object; undefined for a bare base. */
  readonly weights: WantedWeights | undefined;
}

export interface SequenceAnswer<Answer = unknown> extends SequenceTimes {
  readonly answer: Answer;
}

/** The three follow each other, from when the sequence was queued to its answer. */
export interface SequenceTimes {
  /** How long it waited for its weights, or for a worker to load its program. */
  readonly loadMs: number;
  readonly queueMs: number;
  readonly runMs: number;
}

/** One that waits or runs. */
export interface Sequence extends Queued, Needing, SequenceRequest {
  readonly lane: Lane;
  readonly flow: Flow;
  readonly weights: WantedWeights | undefined;
  resolve(answer: SequenceAnswer): void;
  reject(error: unknown): void;
}

/** One that was scheduled: its weights are pinned. */
export interface Scheduled {
  readonly sequence: Sequence;
  readonly row: BatchRow;
  readonly loadMs: number;
}
