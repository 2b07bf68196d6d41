/**
 * The places of requests in front of the queue: each is admitted before its texts are read, and
 * what it will take counts until it is queued or has left.
 */
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import {
  admitToQueue,
  type Coming,
  type QueueAdmission,
  type QueueSnapshot,
} from "../scheduling/admission.ts";
import { virtualWork } from "../scheduling/schedule.ts";

export interface Place {
  /** Once its texts are read and their tokens counted. */
  correct(tokenCount: number): void;
  leave(): void;
}

/** A request that asks for a place. */
export interface Arrival extends Pick<Coming, "flow" | "sequenceCount"> {
  readonly tokenCount: number;
  readonly msPerToken: number;
}

/** What places know of the queue; `nextTag` is that of the flow that asks. */
export interface QueueView extends Omit<QueueSnapshot, "coming" | "promisedMs"> {
  readonly nextTag: number;
  readonly nowMs: number;
}

/** The part of a deadline up to which requests are admitted; the rest is for what comes anew. */
const foreseenShare = 0.7;

export class Places {
  readonly #coming = new Set<Coming>();
  /** The time until which all room is promised to those who were told to come back. */
  #promisedUntilMs = 0;

  /** OVERLOADED, with the time after which to retry, past the deadline or a full queue. */
  take({ flow, sequenceCount, tokenCount, msPerToken }: Arrival, queue: QueueView): Place {
    let tag = queue.nextTag;
    for (const coming of this.#coming)
      if (coming.flow.id === flow.id) tag += virtualWork(coming.workMs, flow.weight);
    const arriving = { flow, tag, sequenceCount, workMs: tokenCount * msPerToken };
    const promisedMs = Math.max(0, this.#promisedUntilMs - queue.nowMs);
    const snapshot = { ...queue, coming: this.#coming, promisedMs };
    const admission = admitToQueue(arriving, snapshot, {
      sequencesMax: limits.queueSequenceCountMax,
      foreseenShare,
      retryAfterMsMax: limits.retryAfterMsMax,
    });
    this.#promisedUntilMs = queue.nowMs + admission.promisedMs;
    if (admission.kind === "rejected") throw overloaded(arriving, admission);
    return this.#placeOf(arriving, msPerToken);
  }

  #placeOf(arriving: Coming, msPerToken: number): Place {
    let coming = arriving;
    this.#coming.add(coming);
    return {
      correct: (tokenCount) => {
        if (!this.#coming.delete(coming)) return;
        coming = { ...coming, workMs: tokenCount * msPerToken };
        this.#coming.add(coming);
      },
      leave: () => void this.#coming.delete(coming),
    };
  }
}

function overloaded(
  { flow, sequenceCount }: Coming,
  rejection: QueueAdmission & { readonly kind: "rejected" },
): StrataError {
  const { limit, waitMs, retryAfterMs } = rejection;
  const waitMsMax = Math.floor(flow.deadlineMs * foreseenShare);
  const state =
    limit === "deadline"
      ? `they would wait for ${Math.ceil(waitMs)} ms, the limit is ${waitMsMax} ms`
      : `${rejection.sequenceCount} are waiting, the limit is ${limits.queueSequenceCountMax}`;
  const message = `Cannot queue ${sequenceCount} texts: ${state}`;
  return new StrataError("OVERLOADED", message, { retryAfterMs });
}
