/**
 * Answers that are read. A client that writes its whole request before it reads anything would find
 * its connection reset when an early answer closes it: so an answer ends only after the rest of the
 * request has been read and thrown away, within limits (RFC 9112, section 9.6).
 */
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";

/** The class of responses for `createServer`. */
export function lingeringResponse(clock: Clock): typeof ServerResponse {
  class LingeringResponse<
    Request extends IncomingMessage = IncomingMessage,
  > extends ServerResponse<Request> {
    #isLingering = false;

    // Only these forms occur: there is one writer, the listener.
    override end(chunk?: unknown, ...rest: unknown[]): this {
      const { req: request } = this;
      const isAlone = request.complete || request.destroyed || this.destroyed;
      if (isAlone || this.#isLingering) {
        Reflect.apply(super.end, this, [chunk, ...rest]);
        return this;
      }
      this.#isLingering = true;
      if (typeof chunk === "string" || chunk instanceof Uint8Array) this.write(chunk);
      else this.flushHeaders();
      readRest(request, clock, () => {
        super.end();
        // What is still to come would be taken for the next request.
        if (!request.complete) this.socket?.destroySoon();
      });
      return this;
    }
  }
  return LingeringResponse;
}

/** Reads and drops what comes, and calls back when all has come or a limit is passed. */
function readRest(request: IncomingMessage, clock: Clock, onEnd: () => void): void {
  const startMs = clock.monotonic();
  let bytes = 0;
  let seenBytes = -1;
  const finish = (): void => {
    cancelLook();
    request.off("end", finish).off("close", finish);
    onEnd();
  };
  const look = (): void => {
    const isOver = clock.monotonic() - startMs > limits.lingerMsMax;
    if (isOver || bytes === seenBytes) {
      finish();
      return;
    }
    seenBytes = bytes;
    cancelLook = clock.schedule(limits.lingerIdleMsMax, look);
  };
  let cancelLook = clock.schedule(limits.lingerIdleMsMax, look);
  // Whoever listened before would keep what nobody wants any more.
  request.removeAllListeners("data");
  request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.lingerBytesMax) finish();
  });
  request.once("end", finish).once("close", finish);
  request.resume();
}
