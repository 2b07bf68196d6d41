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
import { soon } from "../foundation/turn.ts";
import { schedule, workOf } from "../scheduling/schedule.ts";
import type { AdapterPool } from "./adapter-pool.ts";
import { BatchMeter } from "./batch-meter.ts";
import { type Outcome, runBatch, timesOf } from "./batch-run.ts";
import { FairQueue } from "./fair-queue.ts";
import type { Lane } from "../lanes/lane.ts";
import { type Arrival, type Place, Places } from "./places.ts";
import type { Scheduled, Sequence, SequenceAnswer, SequenceRequest } from "./sequence.ts";
import { WeightLoads } from "./weight-loads.ts";
import type { Worker, Workers } from "./workers.ts";

const batchLimits = {
  tokensMax: limits.batchTokensMax,
  sequencesMax: limits.batchSequenceCountMax,
};

export interface EngineOptions {
  readonly workers: Workers;
  readonly pool: AdapterPool;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** A request that will queue, as far as it is known. */
export interface Arriving extends Omit<Arrival, "msPerToken"> {
  readonly lane: Lane;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #queue = new FairQueue<Sequence>();
  readonly #places = new Places();
  readonly #loads: WeightLoads<Sequence>;
  readonly #meter: BatchMeter;
  /** What the batches that run take of one worker, all together. */
  #runningMs = 0;
  #isWakeDue = false;

  constructor(options: EngineOptions) {
    const { pool, clock, telemetry } = options;
    this.#options = options;
    this.#meter = new BatchMeter(telemetry.metrics);
    this.#loads = new WeightLoads({
      ...{ pool, clock, metrics: telemetry.metrics },
      onReady: (sequences) => this.#continue(sequences),
      onFailed: (sequences, error) => this.#refuse(sequences, error),
    });
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
      { ...arriving, msPerToken: this.#meter.msPerTokenOf(lane) },
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
    const withdraw = (): void =>
      this.#refuse(sequences, wrapError(signal?.reason, "CANCELLED", "Cannot answer"));
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
    const { lane, flow, row, weights } = request;
    const tokenCount = row.ids.length;
    return new Promise((resolve, reject) => {
      const sequence: Sequence = {
        lane,
        flow,
        row,
        weights,
        tokenCount,
        workMs: tokenCount * this.#meter.msPerTokenOf(lane),
        tag: this.#queue.nextTag(flow),
        enqueuedMs: this.#options.clock.monotonic(),
        resolve: resolve as (answer: SequenceAnswer) => void, // Its lane makes its answers.
        reject,
      };
      sequences.add(sequence);
      this.#queue.add(sequence);
      this.#loads.add(sequence);
      this.#showQueue();
    });
  }

  /** Rejects those of the sequences that wait. */
  #refuse(sequences: ReadonlySet<Sequence>, error: unknown): void {
    for (const sequence of this.#queue.withdraw(sequences)) {
      this.#loads.drop(sequence);
      sequence.reject(error);
    }
    this.#showQueue();
  }

  /** The weights of these sequences have come. */
  #continue(sequences: ReadonlySet<Sequence>): void {
    this.#queue.restart(sequences);
    this.#wakeSoon();
  }

  /** Wakes after the current events, so that texts that arrive together run together. */
  #wakeSoon(): void {
    if (this.#isWakeDue) return;
    this.#isWakeDue = true;
    soon(() => {
      this.#isWakeDue = false;
      this.#wake();
    });
  }

  #wake(): void {
    // Although no worker may be idle.
    this.#loads.advance(this.#queue.waiting);
    // It never fails: errors reach the callers of the sequences.
    for (const worker of this.#options.workers.takeIdle()) void this.#work(worker);
  }

  /** The steps of a worker: what is due is scheduled, run and delivered, until nothing is due. */
  async #work(worker: Worker): Promise<void> {
    for (let batch = this.#schedule(); batch !== undefined; batch = this.#schedule()) {
      const outcomes = await this.#run(worker, batch);
      if (outcomes === undefined) return this.#lose(worker, batch);
      this.#deliver(batch, outcomes);
    }
    this.#options.workers.giveBack(worker);
  }

  /**
   * The next batch, with its weights pinned; undefined when nothing is due. It is empty when none
   * of the sequences had the weights that it said, which they have been told.
   */
  #schedule(): readonly Scheduled[] | undefined {
    const due = schedule(this.#queue.waiting, batchLimits, (one) => this.#loads.isReady(one));
    if (due.length === 0) return undefined;
    this.#queue.take(due);
    const batch = due.flatMap((sequence) => this.#scheduled(sequence));
    this.#loads.advance(this.#queue.waiting);
    this.#showQueue();
    return batch;
  }

  #scheduled(sequence: Sequence): readonly Scheduled[] {
    const pinned = this.#loads.pin(sequence);
    if (pinned.kind === "failed") {
      sequence.reject(pinned.error);
      return [];
    }
    const { resident, loadMs } = pinned;
    return [{ sequence, row: { ...sequence.row, resident }, loadMs }];
  }

  /** One outcome per sequence; undefined when the worker is gone for good. */
  async #run(worker: Worker, batch: readonly Scheduled[]): Promise<readonly Outcome[] | undefined> {
    const { clock, telemetry } = this.#options;
    const sequences = batch.map(({ sequence }) => sequence);
    const [first] = sequences;
    if (first === undefined) return [];
    const { lane } = first;
    const rows = batch.map(({ row }) => row);
    const isFull = this.#queue.waiting.some((sequence) => sequence.lane.key === lane.key);
    const workMs = workOf(sequences);
    this.#runningMs += workMs;
    try {
      const { outcomes, time } = await runBatch(rows, { worker, lane, clock, log: telemetry.log });
      if (time !== undefined) this.#meter.measure(batch, { runMs: time.runMs, lane, isFull });
      return outcomes;
    } catch (error) {
      telemetry.log.error("A worker cannot run any more", { error });
      return undefined;
    } finally {
      this.#runningMs -= workMs;
      for (const { weights } of sequences) if (weights !== undefined) this.#loads.release(weights);
    }
  }

  #deliver(batch: readonly Scheduled[], outcomes: readonly Outcome[]): void {
    for (const [index, scheduled] of batch.entries()) {
      const { flow, resolve, reject } = scheduled.sequence;
      const outcome = present(outcomes[index], "A sequence has an outcome");
      if (outcome.kind === "answered") {
        const times = timesOf(scheduled, outcome);
        this.#meter.tell(times);
        resolve({ answer: outcome.answer, ...times });
        continue;
      }
      const { error } = outcome;
      if (error.code === "INTERNAL")
        this.#options.telemetry.log.error("A sequence failed", { flow: flow.id, error });
      reject(error);
    }
  }

  /** Goes on without the worker; what it was to run is the others' to run. */
  #lose(worker: Worker, batch: readonly Scheduled[]): void {
    const { workers, telemetry } = this.#options;
    workers.lose(worker);
    telemetry.log.error("The engine has lost a worker", { workersLeft: workers.count });
    for (const { sequence } of batch) {
      this.#queue.putBack(sequence);
      this.#loads.add(sequence);
    }
    if (workers.count === 0) this.#refuse(new Set(this.#queue.waiting), noWorker());
    this.#showQueue();
    this.#wake();
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
