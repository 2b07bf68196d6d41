/**
 * Runs a batch on a worker. A batch that fails, for whatever reason, is run again in halves, down
 * to the sequences that fail alone: a fault is answered to whom it belongs. One that was alone from
 * the start is run once more too, since its thread may have died of something else.
 */
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Log } from "../foundation/telemetry.ts";
import type { BatchRow, Lane } from "../lanes/lane.ts";
import type { Scheduled, SequenceTimes } from "./sequence.ts";
import type { Worker } from "./workers.ts";

/** What a sequence got: `answer` is of its lane's kind. */
export type Outcome =
  | ({ readonly kind: "answered"; readonly answer: unknown } & RunTime)
  | { readonly kind: "failed"; readonly error: StrataError };

export interface RunTime {
  readonly startMs: number;
  /** What it took to load a program that the worker did not have; mostly 0. */
  readonly programMs: number;
  readonly runMs: number;
}

/** What a sequence that was answered tells of its time: to its caller and to the metrics alike. */
export function timesOf(
  { sequence, loadMs }: Scheduled,
  { startMs, programMs, runMs }: RunTime,
): SequenceTimes {
  const loadedMs = loadMs + programMs;
  return { loadMs: loadedMs, queueMs: startMs - sequence.enqueuedMs - loadedMs, runMs };
}

export interface Ran {
  /** One per row. */
  readonly outcomes: readonly Outcome[];
  /** Absent when the batch was run in parts. */
  readonly time?: RunTime;
}

export interface BatchRunOptions {
  readonly worker: Worker;
  readonly lane: Lane;
  readonly clock: Clock;
  readonly log: Log;
}

/** Fails with UNAVAILABLE when the worker is gone for good, which is not the fault of any row. */
export async function runBatch(
  rows: readonly BatchRow[],
  options: BatchRunOptions,
  isAgain = false,
): Promise<Ran> {
  try {
    return await runOnce(rows, options);
  } catch (error) {
    if (isGone(error)) throw error;
    if (rows.length === 1 && isAgain)
      return { outcomes: [{ kind: "failed", error: failure(error) }] };
    options.log.warn("A batch failed and is run again in halves", {
      error,
      sequences: rows.length,
    });
    const middle = Math.ceil(rows.length / 2);
    const { outcomes } = await runBatch(rows.slice(0, middle), options, true);
    if (middle === rows.length) return { outcomes };
    const others = await runBatch(rows.slice(middle), options, true);
    return { outcomes: [...outcomes, ...others.outcomes] };
  }
}

async function runOnce(
  rows: readonly BatchRow[],
  { worker, lane, clock }: BatchRunOptions,
): Promise<Ran> {
  const dueMs = clock.monotonic();
  const program = await worker.program(lane.programFor(rows));
  const startMs = clock.monotonic();
  const results = await program.run(lane.feeds(rows));
  const time = { startMs, programMs: startMs - dueMs, runMs: clock.monotonic() - startMs };
  const answers = lane.answers(results, rows);
  const outcomes = answers.map((answer): Outcome => {
    if (answer === undefined) return { kind: "failed", error: notFinite() };
    return { kind: "answered", answer, ...time };
  });
  return { outcomes, time };
}

function isGone(error: unknown): boolean {
  return error instanceof StrataError && error.code === "UNAVAILABLE";
}

function notFinite(): StrataError {
  return new StrataError("CORRUPT", "the weights give numbers that are not finite");
}

/** What the runtime says of a feed is no fault of the caller, whatever its code is. */
function failure(error: unknown): StrataError {
  const state = error instanceof Error ? error.message : String(error);
  return new StrataError("INTERNAL", state, { cause: error });
}
