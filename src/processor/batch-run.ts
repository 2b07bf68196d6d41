/**
 * Runs a batch and answers its sequences. A batch that fails, for whatever reason, is run again in
 * halves, down to the sequences that fail alone: a fault is answered to whom it belongs. One that
 * was alone from the start is run once more too, since its thread may have died of something else.
 */
import { assert } from "../foundation/assert.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Log } from "../foundation/telemetry.ts";
import type { Program, Results } from "../runtime/runtime.ts";
import type { Waiting } from "../scheduling/schedule.ts";
import { batchFeeds, type BatchRow } from "./batch.ts";
import { areFinite } from "../checkpoints/version-weights.ts";

/** What a sequence asks for. */
export interface SequenceRequest extends BatchRow {
  /** Sequences of one flow share its turn; the incarnation of the vPLM, or the id of the base. */
  readonly flow: string;
}

export interface SequenceAnswer {
  /** One per label; empty without a head. */
  readonly probabilities: Float32Array;
  /** `[hidden]`, L2-normalised. */
  readonly embedding: Float32Array;
  readonly queueMs: number;
  readonly runMs: number;
}

export interface Sequence extends Waiting {
  readonly request: SequenceRequest;
  readonly enqueuedMs: number;
  resolve(answer: SequenceAnswer): void;
  reject(error: unknown): void;
  isSettled(): boolean;
}

export interface BatchRunOptions {
  readonly program: Program;
  readonly config: EncoderConfig;
  /** The pool's memory. */
  readonly memory: Float32Array;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BatchTime {
  readonly startMs: number;
  readonly runMs: number;
}

/**
 * Settles every sequence, and tells what that took; undefined when the batch was run in parts.
 * Fails with UNAVAILABLE when the program's thread is gone for good: some sequences are then not
 * settled, and it is not their fault.
 */
export async function runBatch(
  batch: readonly Sequence[],
  options: BatchRunOptions,
  isAgain = false,
): Promise<BatchTime | undefined> {
  const { program, config, memory, clock, log } = options;
  const startMs = clock.monotonic();
  const rows = batch.map(({ request }) => request);
  try {
    const results = await program.run(batchFeeds(config, rows, memory));
    const runMs = clock.monotonic() - startMs;
    answer(batch, { results, startMs, runMs, hiddenSize: config.hiddenSize });
    return { startMs, runMs };
  } catch (error) {
    if (isGone(error)) throw error;
    if (batch.length === 1 && isAgain) {
      for (const { request, reject } of batch) {
        log.error("A sequence failed", { flow: request.flow, error });
        reject(failure(error));
      }
      return undefined;
    }
    log.warn("A batch failed and is run again in halves", { error, sequences: batch.length });
    const middle = Math.ceil(batch.length / 2);
    await runBatch(batch.slice(0, middle), options, true);
    if (middle < batch.length) await runBatch(batch.slice(middle), options, true);
    return undefined;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof StrataError && error.code === "UNAVAILABLE";
}

interface Ran {
  readonly results: Results;
  readonly startMs: number;
  readonly runMs: number;
  readonly hiddenSize: number;
}

function answer(batch: readonly Sequence[], { results, startMs, runMs, hiddenSize }: Ran): void {
  const probabilities = results["probabilities"]?.values;
  const embeddings = results["embeddings"]?.values;
  assert(
    probabilities instanceof Float32Array &&
      embeddings instanceof Float32Array &&
      embeddings.length === batch.length * hiddenSize,
    "A serving graph gives probabilities and embeddings",
  );
  const width = probabilities.length / batch.length;
  for (const [row, { request, resolve, reject, enqueuedMs }] of batch.entries()) {
    const own = probabilities.slice(row * width, row * width + request.labelCount);
    const embedding = embeddings.slice(row * hiddenSize, (row + 1) * hiddenSize);
    if (areFinite(own) && areFinite(embedding))
      resolve({ probabilities: own, embedding, queueMs: startMs - enqueuedMs, runMs });
    else reject(notFinite());
  }
}

/** Weights that are finite may still overflow on the way; the base's own may be spoilt. */
function notFinite(): StrataError {
  return new StrataError("CORRUPT", "the weights give numbers that are not finite");
}

/** What the runtime says of a feed is no fault of the caller, whatever its code is. */
function failure(error: unknown): StrataError {
  const state = error instanceof Error ? error.message : String(error);
  return new StrataError("INTERNAL", state, { cause: error });
}
