/**
 * A load of many clients on many models: which model a request names follows Zipf's law, as in
 * real services, where a few models are asked often and most of them seldom.
 */
import { type Clock, pause } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Random } from "../foundation/random.ts";

export interface LoadOptions {
  readonly clientCount: number;
  readonly durationMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** One request; resolves with the number of sequences that were answered. */
  readonly send: () => Promise<number>;
  readonly onProgress: (elapsedMs: number) => void;
}

export interface LoadReport {
  readonly requestCount: number;
  readonly sequenceCount: number;
  readonly sequencesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that said to come back later, as the clients then did. */
  readonly refusalCount: number;
}

/** Each client sends its next request when it has the answer to its last one. */
export async function applyLoad(options: LoadOptions): Promise<LoadReport> {
  const { clock, durationMs, signal } = options;
  const started = clock.monotonic();
  const latencies: number[] = [];
  let sequenceCount = 0;
  let refusalCount = 0;
  const client = async (): Promise<void> => {
    for (;;) {
      const sent = clock.monotonic();
      if (signal.aborted || sent - started >= durationMs) return;
      const answeredCount = await untilAdmitted(options.send, {
        ...options,
        onRefusal: () => (refusalCount += 1),
      });
      sequenceCount += answeredCount;
      const received = clock.monotonic();
      latencies.push(received - sent);
      options.onProgress(received - started);
    }
  };
  await Promise.all(Array.from({ length: options.clientCount }, client));
  const seconds = (clock.monotonic() - started) / 1000;
  return {
    requestCount: latencies.length,
    sequenceCount,
    sequencesPerSecond: sequenceCount / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    refusalCount,
  };
}

/** Asks again after the time that an overloaded server gives, as clients should. */
export async function untilAdmitted<T>(
  ask: () => Promise<T>,
  options: {
    readonly clock: Clock;
    readonly signal: AbortSignal;
    readonly onRefusal?: () => void;
  },
): Promise<T> {
  const { clock, signal, onRefusal } = options;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isRefusal = error instanceof StrataError && error.code === "OVERLOADED";
      if (!isRefusal || signal.aborted) throw error;
      onRefusal?.();
      await pause(clock, error.retryAfterMs ?? 0, signal);
    }
  }
}

/** The least value that at least `share` of the values do not exceed; 0 without values. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Draws ranks 0 … count - 1 with probability proportional to 1 / (rank + 1). */
export function zipf(count: number, random: Random): () => number {
  const cumulative = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1);
    cumulative[rank] = sum;
  }
  return () => {
    const drawn = random.uniform() * sum;
    const rank = cumulative.findIndex((bound) => drawn < bound);
    return rank === -1 ? count - 1 : rank;
  };
}
