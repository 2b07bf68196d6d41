/** What batches take: told to the metrics, and foreseen for each lane. */
import type { Metrics } from "../foundation/telemetry.ts";
import type { RunTime } from "./batch-run.ts";
import type { Lane } from "../lanes/lane.ts";
import type { Scheduled, SequenceTimes } from "./sequence.ts";

/** The last batch's share in the running mean of what a token takes. */
const newShare = 0.1;

interface Measured extends Pick<RunTime, "runMs"> {
  readonly lane: Lane;
  /** Whether others of the lane were left waiting. */
  readonly isFull: boolean;
}

export class BatchMeter {
  readonly #metrics: Metrics;
  /** Milliseconds by the key of a lane, as far as it has been measured. */
  readonly #msPerToken = new Map<string, number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Milliseconds per token of one worker in full batches of the lane. */
  msPerTokenOf({ key, msPerToken }: Lane): number {
    return this.#msPerToken.get(key) ?? msPerToken;
  }

  /** A batch that could not be filled says nothing of how a queue drains. */
  measure(batch: readonly Scheduled[], { lane, isFull, runMs }: Measured): void {
    const tokenCount = batch.reduce((sum, { sequence }) => sum + sequence.tokenCount, 0);
    if (isFull) {
      const known = this.msPerTokenOf(lane);
      this.#msPerToken.set(lane.key, known + newShare * (runMs / tokenCount - known));
    }
    this.#metrics.observe("strata_batch_sequences", batch.length);
    this.#metrics.observe("strata_batch_tokens", tokenCount);
    this.#metrics.observe("strata_batch_seconds", runMs / 1000);
  }

  /** How long a sequence that is answered has waited, as its caller is told. */
  tell({ loadMs, queueMs }: SequenceTimes): void {
    this.#metrics.observe("strata_queue_seconds", queueMs / 1000);
    if (loadMs > 0) this.#metrics.observe("strata_load_seconds", loadMs / 1000);
  }
}
