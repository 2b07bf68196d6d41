/**
 * Whether a request may join the queue of sequences: a pure decision over a snapshot. What bounds
 * the queue is time, not length: the time that the work of others takes which would run before the
 * request's last sequence. Its own work does not count, so that an idle queue takes any request.
 */
import type { Waiting } from "./schedule.ts";

/** A request that was admitted and is not queued yet: it is tokenised, or its weights load. */
export interface Coming {
  /** Where its first sequence will start, see `startTag`. */
  readonly tag: number;
  readonly tokenCount: number;
  readonly sequenceCount: number;
}

export interface QueueSnapshot {
  /** Ascending by tag. */
  readonly waiting: readonly Waiting[];
  readonly coming: Iterable<Coming>;
  /** Tokens of the batches that run. */
  readonly runningTokenCount: number;
  readonly virtualTime: number;
  /** Models of which something waits, other than the one that asks. */
  readonly otherModelCount: number;
  /** Of all workers together, from a queue that fills their batches. */
  readonly msPerToken: number;
  /** For how long from now all room is promised to those who were told to come back. */
  readonly promisedMs: number;
}

export interface QueueLimits {
  readonly sequencesMax: number;
  readonly waitMsMax: number;
  readonly retryAfterMsMax: number;
}

interface Foreseen {
  readonly waitMs: number;
  /** For how long room is promised from now on. */
  readonly promisedMs: number;
}

export type QueueAdmission =
  | ({ readonly kind: "admitted" } & Foreseen)
  | ({
      readonly kind: "rejected";
      /** The limit that the request would pass. */
      readonly limit: "sequences" | "wait";
      readonly sequenceCount: number;
      /** When there is room, if nobody comes but those who were told to. */
      readonly retryAfterMs: number;
    } & Foreseen);

/**
 * Admits a request unless others' work would keep it waiting for longer than the limit. Who is
 * rejected is told a time, one after the other as their work takes: were all told when the next
 * sequence leaves, all would come back at once, and nearly all in vain.
 */
export function admitToQueue(
  arriving: Coming,
  queue: QueueSnapshot,
  limits: QueueLimits,
): QueueAdmission {
  const { msPerToken, promisedMs, waiting } = queue;
  const waitMs = tokensBefore(arriving, queue) * msPerToken;
  let sequenceCount = waiting.length;
  for (const coming of queue.coming) sequenceCount += coming.sequenceCount;
  const excess = sequenceCount + arriving.sequenceCount - limits.sequencesMax;
  if (excess <= 0 && waitMs <= limits.waitMsMax) {
    // A queue that has shrunk so far has not met those who were told to come back.
    const isKept = waitMs > limits.waitMsMax * keptShare;
    return { kind: "admitted", waitMs, promisedMs: isKept ? promisedMs : 0 };
  }
  const ownMs = arriving.tokenCount * msPerToken;
  const excessMs = Math.max(0, excess) * meanTokens(waiting) * msPerToken;
  const roomMs = Math.max(excessMs, waitMs - limits.waitMsMax);
  const startMs = Math.min(Math.max(roomMs, promisedMs), limits.retryAfterMsMax);
  return {
    kind: "rejected",
    limit: excess > 0 ? "sequences" : "wait",
    waitMs,
    sequenceCount,
    // Not sooner than its own work takes: no room is smaller.
    retryAfterMs: Math.ceil(Math.min(Math.max(startMs, ownMs, 1), limits.retryAfterMsMax)),
    promisedMs: startMs + ownMs,
  };
}

/** Of the limit: above it, those who come back keep the queue long. */
const keptShare = 0.5;

/** Others' tokens that run before the last sequence of the request, as far as can be foreseen. */
function tokensBefore(arriving: Coming, queue: QueueSnapshot): number {
  const end = arriving.tag + arriving.tokenCount;
  let ahead = queue.runningTokenCount;
  for (const { tag, tokenCount } of queue.waiting) {
    if (tag >= end) break;
    ahead += tokenCount;
  }
  for (const { tag, tokenCount } of queue.coming)
    ahead += Math.min(tokenCount, Math.max(0, end - tag));
  // Until the model's own turn comes, as much of every other model's work passes as of its own;
  // that work has yet to come, and goes before.
  return ahead + (arriving.tag - queue.virtualTime) * queue.otherModelCount;
}

function meanTokens(waiting: readonly Waiting[]): number {
  const tokens = waiting.reduce((sum, { tokenCount }) => sum + tokenCount, 0);
  return tokens / Math.max(1, waiting.length);
}
