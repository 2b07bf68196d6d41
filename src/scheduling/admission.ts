/**
 * Whether a request may join the queue of sequences: a pure decision over a snapshot. What bounds
 * the queue is time, not length: how much later than alone the request would be answered, because
 * of the work of others that runs before its last sequence. Its own work does not count, so that an
 * idle queue takes any request; nor does what others bring while a bulk goes at its flow's share.
 */
import type { Flow } from "./flow.ts";
import { virtualWork, type Waiting } from "./schedule.ts";

/** A request that was admitted and is not queued yet, since it is tokenised. */
export interface Coming {
  readonly flow: Flow;
  /** The tag at which its first sequence will start, see `startTag`. */
  readonly tag: number;
  /** What it will take of one worker, in milliseconds. */
  readonly workMs: number;
  readonly sequenceCount: number;
}

export interface QueueSnapshot {
  /** Ascending by tag. */
  readonly waiting: readonly Waiting[];
  readonly coming: Iterable<Coming>;
  /** The time of the batches that run. */
  readonly runningMs: number;
  readonly virtualTime: number;
  /** The weights of the flows of which something waits, other than the one that asks. */
  readonly otherWeight: number;
  readonly workerCount: number;
  /** The time from now for which all room is promised to those who were told to come back. */
  readonly promisedMs: number;
}

export interface QueueLimits {
  readonly sequencesMax: number;
  /** The part of a flow's deadline up to which it is admitted; the rest is for the unforeseen. */
  readonly foreseenShare: number;
  readonly retryAfterMsMax: number;
}

interface Foreseen {
  /** How much later the answer will be than if nobody else asked. */
  readonly waitMs: number;
  /** The time from now until it will be there. */
  readonly finishMs: number;
  /** The time for which room is promised from now on. */
  readonly promisedMs: number;
}

export type QueueAdmission =
  | ({ readonly kind: "admitted" } & Foreseen)
  | ({
      readonly kind: "rejected";
      /** The limit that the request would pass. */
      readonly limit: "sequences" | "deadline";
      readonly sequenceCount: number;
      /** The time after which there is room, if nobody comes but those who were told to. */
      readonly retryAfterMs: number;
    } & Foreseen);

/**
 * Admits a request unless others' work would keep it waiting beyond its flow's deadline. Who is
 * rejected is told a time, one after the other as their work takes: were all told when the next
 * sequence leaves, all would come back at once, and nearly all in vain.
 */
export function admitToQueue(
  arriving: Coming,
  queue: QueueSnapshot,
  limits: QueueLimits,
): QueueAdmission {
  const { workerCount, promisedMs, waiting } = queue;
  const waitMsMax = arriving.flow.deadlineMs * limits.foreseenShare;
  const waitMs = workBefore(arriving, queue) / workerCount;
  const ownMs = arriving.workMs / workerCount;
  const finishMs = waitMs + ownMs;
  let sequenceCount = waiting.length;
  for (const coming of queue.coming) sequenceCount += coming.sequenceCount;
  const excess = sequenceCount + arriving.sequenceCount - limits.sequencesMax;
  if (excess <= 0 && waitMs <= waitMsMax) {
    // A queue that has shrunk so far has not met those who were told to come back.
    const isKept = waitMs > waitMsMax * keptShare;
    return { kind: "admitted", waitMs, finishMs, promisedMs: isKept ? promisedMs : 0 };
  }
  const excessMs = (Math.max(0, excess) * meanWorkMs(waiting)) / workerCount;
  const roomMs = Math.max(excessMs, waitMs - waitMsMax);
  const startMs = Math.min(Math.max(roomMs, promisedMs), limits.retryAfterMsMax);
  return {
    kind: "rejected",
    limit: excess > 0 ? "sequences" : "deadline",
    waitMs,
    finishMs,
    sequenceCount,
    // Not sooner than its own work takes: no room is smaller.
    retryAfterMs: Math.ceil(Math.min(Math.max(startMs, ownMs, 1), limits.retryAfterMsMax)),
    promisedMs: startMs + ownMs,
  };
}

/** The share of the limit above which those who come back keep the queue long. */
const keptShare = 0.5;

/** Others' work that runs before the last sequence of the request, as far as can be foreseen. */
function workBefore(arriving: Coming, queue: QueueSnapshot): number {
  const end = arriving.tag + virtualWork(arriving.workMs, arriving.flow.weight);
  let ahead = queue.runningMs;
  for (const { tag, workMs } of queue.waiting) {
    if (tag >= end) break;
    ahead += workMs;
  }
  for (const { tag, workMs, flow } of queue.coming)
    ahead += Math.min(workMs, Math.max(0, end - tag) * flow.weight);
  // Until the flow's own turn comes, the others get the shares of their weights; that work has yet
  // to come, and goes before.
  return ahead + (arriving.tag - queue.virtualTime) * queue.otherWeight;
}

function meanWorkMs(waiting: readonly Waiting[]): number {
  const sum = waiting.reduce((total, { workMs }) => total + workMs, 0);
  return sum / Math.max(1, waiting.length);
}
