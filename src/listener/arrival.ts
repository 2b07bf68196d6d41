/**
 * Watches a body that arrives: a sender that pauses too long, or sends too little in its time, is
 * given up, so that what waits for it is free again.
 */
import type { ReadableStream } from "node:stream/web";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

/** The connection that a request came over. */
export interface Origin {
  /** Who shares one budget, for example an address. */
  readonly peer: string;
  /** All bytes that the connection has brought; a sender that moves it has not paused. */
  receivedBytes(): number;
}

export class Arrival {
  readonly #clock: Clock;
  readonly #origin: Origin;
  readonly #receivedBefore: number;
  /** Time that was spent waiting for bytes; what is done with them in between does not count. */
  #waitedMs = 0;

  constructor(clock: Clock, origin: Origin) {
    this.#clock = clock;
    this.#origin = origin;
    this.#receivedBefore = origin.receivedBytes();
  }

  /** What `read` gives; TOO_SLOW as soon as the sender is found to be. */
  wait<T>(read: Promise<T>): Promise<T> {
    const clock = this.#clock;
    const startMs = clock.monotonic();
    let seen = this.#origin.receivedBytes();
    return new Promise<T>((resolve, reject) => {
      const look = (): void => {
        const now = this.#origin.receivedBytes();
        if (now === seen) reject(paused());
        else if (this.#isTooSlow(this.#waitedMs + clock.monotonic() - startMs)) reject(tooSlow());
        else cancelLook = clock.schedule(limits.receiveIdleMsMax, look);
        seen = now;
      };
      let cancelLook = clock.schedule(limits.receiveIdleMsMax, look);
      const stop = (): void => {
        cancelLook();
        this.#waitedMs += clock.monotonic() - startMs;
      };
      // Before what follows from the read: it may wait for more.
      read.then(stop, stop);
      read.then(resolve, reject);
    });
  }

  /** The chunks of a body; CANCELLED when it ends early. */
  async *chunks(body: NonNullable<Request["body"]>): AsyncGenerator<Uint8Array, void, undefined> {
    const stream = body as ReadableStream<Uint8Array>; // The types leave open what it is made of.
    const reader = stream.getReader();
    try {
      for (;;) {
        const { done, value } = await this.wait(reader.read().catch(endedEarly));
        if (done) return;
        if (this.#isTooSlow(this.#waitedMs)) throw tooSlow();
        yield value;
      }
    } finally {
      // What still comes in is the listener's to throw away.
      void reader.cancel().catch(() => {});
    }
  }

  #isTooSlow(waitedMs: number): boolean {
    const received = this.#origin.receivedBytes() - this.#receivedBefore;
    const allowedMs = limits.receiveIdleMsMax + (1000 * received) / limits.receiveBytesPerSecondMin;
    return waitedMs > allowedMs;
  }
}

export function endedEarly(cause: unknown): never {
  throw new StrataError("CANCELLED", "Cannot read the body: it ended early", { cause });
}

function paused(): StrataError {
  const state = `nothing arrived for ${limits.receiveIdleMsMax} ms`;
  return new StrataError("TOO_SLOW", `Cannot read the body: ${state}`);
}

function tooSlow(): StrataError {
  const state = `expected ${limits.receiveBytesPerSecondMin} bytes a second`;
  return new StrataError("TOO_SLOW", `Cannot read the body: ${state}`);
}
