/** Gives up answers that their clients do not read, or read too slowly. */
import type { Server, ServerResponse } from "node:http";
import type { Clock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";

interface Progress {
  readonly startMs: number;
  readonly startBytes: number;
  movedMs: number;
  bytes: number;
}

const lookMs = 1_000;

export class SlowReaders {
  readonly #clock: Clock;
  /** Undefined until the answer has begun. */
  readonly #answers = new Map<ServerResponse, Progress | undefined>();
  #cancelLook = (): void => {};

  constructor(server: Server, clock: Clock) {
    this.#clock = clock;
    server.on("request", (_, response) => {
      this.#answers.set(response, undefined);
      response.once("close", () => this.#answers.delete(response));
    });
    this.#schedule();
  }

  close(): void {
    this.#cancelLook();
  }

  #schedule(): void {
    this.#cancelLook = this.#clock.schedule(lookMs, () => {
      const nowMs = this.#clock.monotonic();
      for (const [response, before] of this.#answers) this.#look(response, before, nowMs);
      this.#schedule();
    });
  }

  #look(response: ServerResponse, before: Progress | undefined, nowMs: number): void {
    const { socket } = response;
    if (socket === null || !response.headersSent || socket.writableLength === 0) return;
    // What is still buffered counts as written.
    const bytes = socket.bytesWritten - socket.writableLength;
    if (before === undefined) {
      const progress = { startMs: nowMs, startBytes: bytes, movedMs: nowMs, bytes };
      this.#answers.set(response, progress);
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
