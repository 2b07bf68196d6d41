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
import { schedule, startTag, virtualTimeAfter, type Waiting } from "../scheduling/schedule.ts";
import { batchFeeds, type BatchRow } from "./batch.ts";

/** What a sequence asks for. */
export interface SequenceRequest extends BatchRow {
  /** Sequences of one flow share its turn; the vPLM's id. */
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

interface Sequence extends Waiting {
  readonly request: SequenceRequest;
  readonly enqueuedMs: number;
  resolve(answer: SequenceAnswer): void;
  reject(error: unknown): void;
}

export interface EngineOptions {
  readonly config: EncoderConfig;
  /** The serving graph, loaded once per worker. */
  readonly programs: readonly Program[];
  /** The pool's memory. */
  readonly memory: Float32Array;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #idle: Program[];
  /** Ascending by tag. */
  #queue: Sequence[] = [];
  readonly #finishByFlow = new Map<string, number>();
  #virtualTime = 0;
  /** Running mean of milliseconds per token, for the time to retry. */
  #msPerToken = 0.1;
  #isDispatchDue = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#idle = [...options.programs];
  }

  /** OVERLOADED, with the time after which to retry, when `count` more would exceed the queue. */
  admit(count: number): void {
    const room = limits.queueSequenceCountMax - this.#queue.length;
    if (count <= room) return;
    const tokenCount = this.#queue.reduce((sum, { tokenCount: tokens }) => sum + tokens, 0);
    const drainMs = (tokenCount * this.#msPerToken) / this.#options.programs.length;
    throw new StrataError(
      "OVERLOADED",
      `Cannot queue ${count} texts: ${this.#queue.length} are waiting, the limit is ` +
        `${limits.queueSequenceCountMax}`,
      { retryAfterMs: Math.max(100, Math.ceil(drainMs / 2)) },
    );
  }

  /** Queues the sequences of one request; `signal` withdraws those that do not run yet. */
  submit(
    requests: readonly SequenceRequest[],
    signal?: AbortSignal,
  ): readonly Promise<SequenceAnswer>[] {
    const sequences: Sequence[] = [];
    const answers = requests.map((request) => this.#enqueue(request, sequences));
    const withdraw = (): void => {
      for (const sequence of sequences) this.#withdraw(sequence, signal?.reason);
    };
    if (signal?.aborted === true) withdraw();
    signal?.addEventListener("abort", withdraw, { once: true });
    if (signal !== undefined)
      void Promise.allSettled(answers).then(() => signal.removeEventListener("abort", withdraw));
    this.#dispatchSoon();
    return answers;
  }

  #enqueue(request: SequenceRequest, sequences: Sequence[]): Promise<SequenceAnswer> {
    const { flow, ids } = request;
    const tag = startTag(this.#virtualTime, this.#finishByFlow.get(flow));
    this.#finishByFlow.set(flow, tag + ids.length);
    return new Promise((resolve, reject) => {
      const enqueuedMs = this.#options.clock.monotonic();
      const sequence = { request, tag, tokenCount: ids.length, enqueuedMs, resolve, reject };
      sequences.push(sequence);
      this.#insert(sequence);
    });
  }

  #insert(sequence: Sequence): void {
    let place = this.#queue.length;
    // Tags mostly rise, so that the search from the end is short.
    while (place > 0 && (this.#queue[place - 1]?.tag ?? 0) > sequence.tag) place -= 1;
    this.#queue.splice(place, 0, sequence);
    this.#options.telemetry.metrics.set("strata_queue_sequences", this.#queue.length);
  }

  #withdraw(sequence: Sequence, reason: unknown): void {
    const place = this.#queue.indexOf(sequence);
    if (place < 0) return;
    this.#queue.splice(place, 1);
    const { flow, ids } = sequence.request;
    // A flow owes nothing for what it did not get.
    this.#finishByFlow.set(flow, (this.#finishByFlow.get(flow) ?? 0) - ids.length);
    sequence.reject(wrapError(reason, "CANCELLED", "Cannot answer"));
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
      const chosen = new Set(batch);
      const flows = new Set(this.#queue.map(({ request }) => request.flow));
      this.#queue = this.#queue.filter((sequence) => !chosen.has(sequence));
      this.#virtualTime = virtualTimeAfter(this.#virtualTime, batch, flows.size);
      // An idle queue forgets the flows' debts, which also bounds the map.
      if (this.#queue.length === 0) this.#finishByFlow.clear();
      // Errors reach the callers of the sequences.
      void this.#run(program, batch).finally(() => {
        this.#idle.push(program);
        this.#dispatch();
      });
    }
  }

  async #run(program: Program, batch: readonly Sequence[]): Promise<void> {
    const { config, memory, clock, telemetry } = this.#options;
    const startMs = clock.monotonic();
    const rows = batch.map(({ request }) => request);
    try {
      const results = await program.run(batchFeeds(config, rows, memory));
      const runMs = clock.monotonic() - startMs;
      const probabilities = floats(results["probabilities"]?.values);
      const embeddings = floats(results["embeddings"]?.values);
      const labelCount = probabilities.length / batch.length;
      for (const [index, { request, resolve, enqueuedMs }] of batch.entries())
        resolve({
          probabilities: probabilities.slice(
            index * labelCount,
            index * labelCount + request.labelCount,
          ),
          embedding: embeddings.slice(index * config.hiddenSize, (index + 1) * config.hiddenSize),
          queueMs: startMs - enqueuedMs,
          runMs,
        });
      this.#measure(batch, { startMs, runMs });
    } catch (error) {
      telemetry.log.error("A batch failed", { error, sequences: batch.length });
      for (const { reject } of batch) reject(error);
    }
  }

  #measure(
    batch: readonly Sequence[],
    { startMs, runMs }: { readonly startMs: number; readonly runMs: number },
  ): void {
    const { metrics } = this.#options.telemetry;
    const tokenCount = batch.reduce((sum, { tokenCount: tokens }) => sum + tokens, 0);
    this.#msPerToken += 0.05 * (runMs / tokenCount - this.#msPerToken);
    metrics.observe("strata_batch_sequences", batch.length);
    metrics.observe("strata_batch_tokens", tokenCount);
    metrics.observe("strata_batch_seconds", runMs / 1000);
    for (const { enqueuedMs } of batch)
      metrics.observe("strata_queue_seconds", (startMs - enqueuedMs) / 1000);
    metrics.set("strata_queue_sequences", this.#queue.length);
  }
}

function floats(values: unknown): Float32Array {
  return values instanceof Float32Array ? values : new Float32Array();
}
