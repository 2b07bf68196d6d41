/**
 * The engine of one base model: a queue of sequences and as many workers as there are cores. Each
 * idle worker takes the batch that `schedule` picks; nothing waits for a batch to fill, since
 * sequences gather by themselves while the workers run.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import type { Program } from "../runtime/runtime.ts";
import {
  admitToQueue,
  type Coming,
  type QueueAdmission,
  type QueueSnapshot,
} from "../scheduling/admission.ts";
import { schedule, startTag, virtualTimeAfter } from "../scheduling/schedule.ts";
import {
  type BatchTime,
  runBatch,
  type Sequence,
  type SequenceAnswer,
  type SequenceRequest,
} from "./batch-run.ts";

export interface EngineOptions {
  readonly config: EncoderConfig;
  /** The serving graph, loaded once per worker. */
  readonly programs: readonly Program[];
  /** The pool's memory. */
  readonly memory: Float32Array;
  /** Milliseconds per token of one worker in full batches, to begin with. */
  readonly msPerToken: number;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** What a request will queue, as far as it is known. */
export interface Arriving {
  readonly flow: string;
  readonly sequenceCount: number;
  readonly tokenCount: number;
}

/** The place of a request that was admitted: its work counts until it is queued or has left. */
export interface Place {
  correct(tokenCount: number): void;
  leave(): void;
}

/** Of a flow with sequences in the queue, or with a debt. */
interface Flow {
  waitingCount: number;
  /** Virtual time at which its last sequence ends. */
  finish: number;
}

interface BatchMeasure extends BatchTime {
  readonly tokenCount: number;
  readonly isFull: boolean;
}

/** The last batch's share in the running mean of what a token takes. */
const newShare = 0.1;

/** Of flows that have nothing in the queue, this many are remembered without looking at them. */
const flowCountKept = 1_024;

/** The part of the limit up to which requests are admitted; the rest is for what comes anew. */
const foreseen = 0.7;

export class Engine {
  readonly #options: EngineOptions;
  /** Of the workers that live. */
  #workerCount: number;
  readonly #idle: Program[];
  /** Ascending by tag. */
  #queue: Sequence[] = [];
  readonly #coming = new Set<Coming & { readonly flow: string }>();
  readonly #flows = new Map<string, Flow>();
  #waitingFlowCount = 0;
  #runningTokenCount = 0;
  #virtualTime = 0;
  #msPerToken: number;
  /** Until when all room is promised to those who were told to come back. */
  #promisedUntilMs = 0;
  #isDispatchDue = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#workerCount = options.programs.length;
    this.#idle = [...options.programs];
    this.#msPerToken = options.msPerToken;
  }

  /**
   * Takes a place for a request; OVERLOADED, with the time after which to retry, when it would wait
   * for others for longer than `limits.queueWaitMsMax`, or pass `limits.queueSequenceCountMax`.
   */
  admit({ flow, sequenceCount, tokenCount }: Arriving): Place {
    if (this.#workerCount === 0) throw noWorker();
    const nowMs = this.#options.clock.monotonic();
    let tag = startTag(this.#virtualTime, this.#flows.get(flow)?.finish);
    for (const coming of this.#coming) if (coming.flow === flow) tag += coming.tokenCount;
    const arriving = { flow, tag, tokenCount, sequenceCount };
    const admission = admitToQueue(arriving, this.#snapshot(flow, nowMs), {
      sequencesMax: limits.queueSequenceCountMax,
      waitMsMax: limits.queueWaitMsMax * foreseen,
      retryAfterMsMax: limits.retryAfterMsMax,
    });
    this.#promisedUntilMs = nowMs + admission.promisedMs;
    if (admission.kind === "rejected") throw overloaded(sequenceCount, admission);
    return this.#placeOf(arriving);
  }

  #placeOf(arriving: Coming & { readonly flow: string }): Place {
    let coming = arriving;
    this.#coming.add(coming);
    return {
      correct: (tokenCount) => {
        if (!this.#coming.delete(coming)) return;
        coming = { ...coming, tokenCount };
        this.#coming.add(coming);
      },
      leave: () => void this.#coming.delete(coming),
    };
  }

  #snapshot(flow: string, nowMs: number): QueueSnapshot {
    const isWaiting = (this.#flows.get(flow)?.waitingCount ?? 0) > 0;
    return {
      waiting: this.#queue,
      coming: this.#coming,
      runningTokenCount: this.#runningTokenCount,
      virtualTime: this.#virtualTime,
      otherModelCount: this.#waitingFlowCount - (isWaiting ? 1 : 0),
      msPerToken: this.#msPerToken / this.#workerCount,
      promisedMs: Math.max(0, this.#promisedUntilMs - nowMs),
    };
  }

  /** Queues the sequences of one request; `signal` withdraws those that do not run yet. */
  submit(
    requests: readonly SequenceRequest[],
    signal?: AbortSignal,
  ): readonly Promise<SequenceAnswer>[] {
    const sequences = new Set<Sequence>();
    const answers = requests.map((request) => this.#enqueue(request, sequences));
    const withdraw = (): void => this.#withdraw(sequences, signal?.reason);
    if (signal?.aborted === true) withdraw();
    signal?.addEventListener("abort", withdraw, { once: true });
    if (signal !== undefined)
      void Promise.allSettled(answers).then(() => signal.removeEventListener("abort", withdraw));
    this.#dispatchSoon();
    return answers;
  }

  #enqueue(request: SequenceRequest, sequences: Set<Sequence>): Promise<SequenceAnswer> {
    const { flow, ids } = request;
    const tag = startTag(this.#virtualTime, this.#flows.get(flow)?.finish);
    return new Promise((resolve, reject) => {
      const enqueuedMs = this.#options.clock.monotonic();
      const settle = settleOnce(resolve, reject);
      const sequence = { request, tag, tokenCount: ids.length, enqueuedMs, ...settle };
      sequences.add(sequence);
      this.#insert(sequence);
      this.#flowOf(flow).finish = tag + ids.length;
    });
  }

  #insert(sequence: Sequence): void {
    let place = this.#queue.length;
    // Tags mostly rise, so that the search from the end is short.
    while (place > 0 && (this.#queue[place - 1]?.tag ?? 0) > sequence.tag) place -= 1;
    this.#queue.splice(place, 0, sequence);
    const flow = this.#flowOf(sequence.request.flow);
    if (flow.waitingCount === 0) this.#waitingFlowCount += 1;
    flow.waitingCount += 1;
    this.#showQueue();
  }

  #flowOf(name: string): Flow {
    const known = this.#flows.get(name);
    if (known !== undefined) return known;
    const flow = { waitingCount: 0, finish: 0 };
    this.#flows.set(name, flow);
    return flow;
  }

  /** Takes the sequences out of the queue, as far as they are in it; returns those. */
  #take(sequences: ReadonlySet<Sequence>): readonly Sequence[] {
    const taken = this.#queue.filter((sequence) => sequences.has(sequence));
    this.#queue = this.#queue.filter((sequence) => !sequences.has(sequence));
    for (const { request } of taken) {
      const flow = this.#flowOf(request.flow);
      flow.waitingCount -= 1;
      if (flow.waitingCount === 0) this.#waitingFlowCount -= 1;
    }
    this.#showQueue();
    return taken;
  }

  #withdraw(sequences: ReadonlySet<Sequence>, reason: unknown): void {
    for (const { request, reject } of this.#take(sequences)) {
      // A flow owes nothing for what it did not get.
      this.#flowOf(request.flow).finish -= request.ids.length;
      reject(wrapError(reason, "CANCELLED", "Cannot answer"));
    }
    this.#forgetFlows();
  }

  /** Flows that neither wait nor owe anything; an idle queue forgives all debts. */
  #forgetFlows(): void {
    if (this.#queue.length === 0) this.#flows.clear();
    if (this.#flows.size < 2 * this.#waitingFlowCount + flowCountKept) return;
    for (const [name, { waitingCount, finish }] of this.#flows)
      if (waitingCount === 0 && finish <= this.#virtualTime) this.#flows.delete(name);
  }

  /** After the current events, so that texts that arrive together run together. */
  #dispatchSoon(): void {
    if (this.#isDispatchDue) return;
    this.#isDispatchDue = true;
    setImmediate(() => {
      this.#isDispatchDue = false;
      this.#dispatch();
    });
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const program = this.#idle.pop();
      if (program === undefined) return;
      const batch = schedule(this.#queue, {
        tokensMax: limits.batchTokensMax,
        sequencesMax: limits.batchSequenceCountMax,
      });
      this.#virtualTime = virtualTimeAfter(this.#virtualTime, batch, this.#waitingFlowCount);
      this.#take(new Set(batch));
      this.#forgetFlows();
      void this.#run(program, batch);
    }
  }

  /** Never fails: errors reach the callers of the sequences. */
  async #run(program: Program, batch: readonly Sequence[]): Promise<void> {
    const { config, memory, clock, telemetry } = this.#options;
    const tokenCount = batch.reduce((sum, { tokenCount: tokens }) => sum + tokens, 0);
    // What the queue could not fill says nothing of how it drains.
    const isFull = this.#queue.length > 0;
    this.#runningTokenCount += tokenCount;
    try {
      const options = { program, config, memory, clock, log: telemetry.log };
      const time = await runBatch(batch, options);
      if (time !== undefined) this.#measure(batch, { ...time, tokenCount, isFull });
      this.#idle.push(program);
    } catch (error) {
      this.#lose(batch, error);
    }
    this.#runningTokenCount -= tokenCount;
    this.#dispatch();
  }

  /** Goes on without the worker; what it did not answer is the others' to run. */
  #lose(batch: readonly Sequence[], error: unknown): void {
    this.#workerCount -= 1;
    const workersLeft = this.#workerCount;
    this.#options.telemetry.log.error("The engine has lost a worker", { error, workersLeft });
    for (const sequence of batch) if (!sequence.isSettled()) this.#insert(sequence);
    if (workersLeft > 0) return;
    for (const { reject } of this.#take(new Set(this.#queue))) reject(noWorker());
  }

  #measure(batch: readonly Sequence[], { startMs, runMs, tokenCount, isFull }: BatchMeasure): void {
    const { metrics } = this.#options.telemetry;
    if (isFull) this.#msPerToken += newShare * (runMs / tokenCount - this.#msPerToken);
    metrics.observe("strata_batch_sequences", batch.length);
    metrics.observe("strata_batch_tokens", tokenCount);
    metrics.observe("strata_batch_seconds", runMs / 1000);
    for (const { enqueuedMs } of batch)
      metrics.observe("strata_queue_seconds", (startMs - enqueuedMs) / 1000);
  }

  #showQueue(): void {
    this.#options.telemetry.metrics.set("strata_queue_sequences", this.#queue.length);
  }
}

function settleOnce(
  resolve: (answer: SequenceAnswer) => void,
  reject: (error: unknown) => void,
): Pick<Sequence, "resolve" | "reject" | "isSettled"> {
  let isSettled = false;
  return {
    isSettled: () => isSettled,
    resolve(answer) {
      isSettled = true;
      resolve(answer);
    },
    reject(error) {
      isSettled = true;
      reject(error);
    },
  };
}

function overloaded(
  count: number,
  { limit, waitMs, sequenceCount, retryAfterMs }: QueueAdmission & { readonly kind: "rejected" },
): StrataError {
  const state =
    limit === "wait"
      ? `they would wait for ${Math.ceil(waitMs)} ms, the limit is ${limits.queueWaitMsMax} ms`
      : `${sequenceCount} are waiting, the limit is ${limits.queueSequenceCountMax}`;
  const message = `Cannot queue ${count} texts: ${state}`;
  return new StrataError("OVERLOADED", message, { retryAfterMs });
}

function noWorker(): StrataError {
  const message = "Cannot answer: all worker threads of the base model have ended";
  return new StrataError("UNAVAILABLE", message);
}
