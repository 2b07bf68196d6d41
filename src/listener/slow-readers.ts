/** Gives up answers that their clients do not read, or read too slowly. */
import type { ServerResponse } from "node:http";
import type { Clock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import type { Connections } from "./connections.ts";

interface Progress {
  readonly startMs: number;
  readonly startBytes: number;
  movedMs: number;
  bytes: number;
}

const lookMs = 1_000;

export class SlowReaders {
  readonly #connections: Connections;
  readonly #clock: Clock;
  /** Answers that have begun and were found waiting for their reader. */
  readonly #progress = new WeakMap<ServerResponse, Progress>();
  #cancelLook = (): void => {};

  constructor(connections: Connections, clock: Clock) {
    this.#connections = connections;
    this.#clock = clock;
    this.#schedule();
  }

  close(): void {
    this.#cancelLook();
  }

  #schedule(): void {
    this.#cancelLook = this.#clock.schedule(lookMs, () => {
      const nowMs = this.#clock.monotonic();
      for (const response of this.#connections.working) this.#look(response, nowMs);
      this.#schedule();
    });
  }

  #look(response: ServerResponse, nowMs: number): void {
    const { socket } = response;
    if (socket === null || !response.headersSent || socket.writableLength === 0) return;
    // What is still buffered counts as written.
    const bytes = socket.bytesWritten - socket.writableLength;
    const before = this.#progress.get(response);
    if (before === undefined) {
      const progress = { startMs: nowMs, startBytes: bytes, movedMs: nowMs, bytes };
      this.#progress.set(response, progress);
      return;
    }
    if (bytes !== before.bytes) Object.assign(before, { bytes, movedMs: nowMs });
    const allowedMs =
      limits.answerIdleMsMax +
      (1000 * (bytes - before.startBytes)) / limits.answerBytesPerSecondMin;
    const isIdle = nowMs - before.movedMs > limits.answerIdleMsMax;
    if (isIdle || nowMs - before.startMs > allowedMs) socket.destroy();
  }
}
