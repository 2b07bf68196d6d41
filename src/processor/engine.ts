/**
 * The engine of the process: one queue of sequences of all lanes, and as many workers as there are
 * cores. Each idle worker takes the batch that `schedule` picks; nothing waits for a batch to fill,
 * since sequences gather by themselves while the workers run.
 */
import { present } from "../foundation/assert.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import type { Flow } from "../scheduling/flow.ts";
import { schedule, workOf } from "../scheduling/schedule.ts";
import type { BatchRow } from "./batch.ts";
import { type Outcome, runBatch, type RunTime } from "./batch-run.ts";
import { FairQueue, type Queued } from "./fair-queue.ts";
import type { Lane } from "./lane.ts";
import { type Arrival, type Place, Places } from "./places.ts";
import type { Worker, Workers } from "./workers.ts";

export interface EngineOptions {
  readonly workers: Workers;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** What a sequence asks for. */
export interface SequenceRequest<Answer = unknown> {
  readonly lane: Lane<Answer>;
  readonly flow: Flow;
  readonly row: BatchRow;
}

export interface SequenceAnswer<Answer = unknown> {
  readonly answer: Answer;
  readonly queueMs: number;
  readonly runMs: number;
}

/** A request that will queue, as far as it is known. */
export interface Arriving extends Omit<Arrival, "msPerToken"> {
  readonly lane: Lane;
}

interface Sequence extends Queued, SequenceRequest {
  readonly lane: Lane;
  readonly flow: Flow;
  readonly enqueuedMs: number;
  resolve(answer: SequenceAnswer): void;
  reject(error: unknown): void;
}

interface BatchMeasure extends RunTime {
  readonly lane: Lane;
  readonly isFull: boolean;
}

/** The last batch's share in the running mean of what a token of its lane takes. */
const newShare = 0.1;

export class Engine {
  readonly #options: EngineOptions;
  readonly #queue = new FairQueue<Sequence>();
  readonly #places = new Places();
  /** Milliseconds per token of one worker in full batches, by the key of a lane. */
  readonly #msPerToken = new Map<string, number>();
  #runningMs = 0;
  #isWakeDue = false;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /**
   * Takes a place for a request; OVERLOADED, with the time after which to retry, when others would
   * keep it beyond its flow's deadline, or when it would pass `limits.queueSequenceCountMax`.
   */
  admit({ lane, ...arriving }: Arriving): Place {
    const { workers, clock } = this.#options;
    if (workers.count === 0) throw noWorker();
    const { flow } = arriving;
    return this.#places.take(
      { ...arriving, msPerToken: this.#msPerTokenOf(lane) },
      {
        waiting: this.#queue.waiting,
        runningMs: this.#runningMs,
        virtualTime: this.#queue.virtualTime,
        nextTag: this.#queue.nextTag(flow),
        otherWeight: this.#queue.otherWeight(flow),
        workerCount: workers.count,
        nowMs: clock.monotonic(),
      },
    );
  }

  /** Queues the sequences of one request; `signal` withdraws those that do not run yet. */
  submit<Answer>(
    requests: readonly SequenceRequest<Answer>[],
    signal?: AbortSignal,
  ): readonly Promise<SequenceAnswer<Answer>>[] {
    const sequences = new Set<Sequence>();
    const answers = requests.map((request) => this.#enqueue(request, sequences));
    const withdraw = (): void => this.#withdraw(sequences, signal?.reason);
    if (signal?.aborted === true) withdraw();
    signal?.addEventListener("abort", withdraw, { once: true });
    if (signal !== undefined)
      void Promise.allSettled(answers).then(() => signal.removeEventListener("abort", withdraw));
    this.#wakeSoon();
    return answers;
  }

  #enqueue<Answer>(
    request: SequenceRequest<Answer>,
    sequences: Set<Sequence>,
  ): Promise<SequenceAnswer<Answer>> {
    const { lane, flow, row } = request;
    const tokenCount = row.ids.length;
    return new Promise((resolve, reject) => {
      const sequence: Sequence = {
        ...request,
        tokenCount,
        workMs: tokenCount * this.#msPerTokenOf(lane),
        tag: this.#queue.nextTag(flow),
        enqueuedMs: this.#options.clock.monotonic(),
        resolve: resolve as (answer: SequenceAnswer) => void, // Its lane makes its answers.
        reject,
      };
      sequences.add(sequence);
      this.#queue.add(sequence);
      this.#showQueue();
    });
  }

  #withdraw(sequences: ReadonlySet<Sequence>, reason: unknown): void {
    for (const { reject } of this.#queue.withdraw(sequences))
      reject(wrapError(reason, "CANCELLED", "Cannot answer"));
    this.#showQueue();
  }

  /** After the current events, so that texts that arrive together run together. */
  #wakeSoon(): void {
    if (this.#isWakeDue) return;
    this.#isWakeDue = true;
    setImmediate(() => {
      this.#isWakeDue = false;
      this.#wake();
    });
  }

  #wake(): void {
    // It never fails: errors reach the callers of the sequences.
    for (const worker of this.#options.workers.takeIdle()) void this.#work(worker);
  }

  /** The steps of a worker: what is due is scheduled, run and delivered, until nothing is due. */
  async #work(worker: Worker): Promise<void> {
    for (let batch = this.#schedule(); batch.length > 0; batch = this.#schedule()) {
      const outcomes = await this.#run(worker, batch);
      if (outcomes === undefined) return this.#lose(worker, batch);
      this.#deliver(batch, outcomes);
    }
    this.#options.workers.giveBack(worker);
  }

  #schedule(): readonly Sequence[] {
    const batch = schedule(this.#queue.waiting, {
      tokensMax: limits.batchTokensMax,
      sequencesMax: limits.batchSequenceCountMax,
    });
    this.#queue.take(batch);
    this.#showQueue();
    return batch;
  }

  /** One outcome per sequence; undefined when the worker is gone for good. */
  async #run(worker: Worker, batch: readonly Sequence[]): Promise<readonly Outcome[] | undefined> {
    const { clock, telemetry } = this.#options;
    const { lane } = present(batch[0], "A batch is not empty");
    const rows = batch.map(({ row }) => row);
    const workMs = workOf(batch);
    // What the queue could not fill says nothing of how it drains.
    const isFull = this.#queue.waiting.some((sequence) => sequence.lane.key === lane.key);
    this.#runningMs += workMs;
    try {
      const { outcomes, time } = await runBatch(rows, { worker, lane, clock, log: telemetry.log });
      if (time !== undefined) this.#measure(batch, { ...time, lane, isFull });
      return outcomes;
    } catch (error) {
      telemetry.log.error("A worker cannot run any more", { error });
      return undefined;
    } finally {
      this.#runningMs -= workMs;
    }
  }

  #deliver(batch: readonly Sequence[], outcomes: readonly Outcome[]): void {
    for (const [index, { flow, enqueuedMs, resolve, reject }] of batch.entries()) {
      const outcome = present(outcomes[index], "A sequence has an outcome");
      if (outcome.kind === "answered") {
        const { answer, startMs, runMs } = outcome;
        resolve({ answer, queueMs: startMs - enqueuedMs, runMs });
        continue;
      }
      const { error } = outcome;
      if (error.code === "INTERNAL")
        this.#options.telemetry.log.error("A sequence failed", { flow: flow.id, error });
      reject(error);
    }
  }

  /** Goes on without the worker; what it was to run is the others' to run. */
  #lose(worker: Worker, batch: readonly Sequence[]): void {
    const { workers, telemetry } = this.#options;
    workers.lose(worker);
    telemetry.log.error("The engine has lost a worker", { workersLeft: workers.count });
    for (const sequence of batch) this.#queue.putBack(sequence);
    if (workers.count === 0)
      for (const { reject } of this.#queue.withdraw(new Set(this.#queue.waiting)))
        reject(noWorker());
    this.#showQueue();
    this.#wake();
  }

  #measure(batch: readonly Sequence[], { lane, isFull, startMs, runMs }: BatchMeasure): void {
    const { metrics } = this.#options.telemetry;
    const tokenCount = batch.reduce((sum, sequence) => sum + sequence.tokenCount, 0);
    if (isFull) {
      const known = this.#msPerTokenOf(lane);
      this.#msPerToken.set(lane.key, known + newShare * (runMs / tokenCount - known));
    }
    metrics.observe("strata_batch_sequences", batch.length);
    metrics.observe("strata_batch_tokens", tokenCount);
    metrics.observe("strata_batch_seconds", runMs / 1000);
    for (const { enqueuedMs } of batch)
      metrics.observe("strata_queue_seconds", (startMs - enqueuedMs) / 1000);
  }

  #msPerTokenOf({ key, msPerToken }: Lane): number {
    return this.#msPerToken.get(key) ?? msPerToken;
  }

  #showQueue(): void {
    const { metrics } = this.#options.telemetry;
    metrics.set("strata_queue_sequences", this.#queue.waiting.length);
  }
}

function noWorker(): StrataError {
  const message = "Cannot answer: all worker threads of the engine have ended";
  return new StrataError("UNAVAILABLE", message);
}
