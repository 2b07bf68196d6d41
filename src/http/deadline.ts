/**
 * The longest that a request may take, and its end when the client has gone. What waits too long
 * waits behind others: that is overload, and clients know 429 and when to come back from it.
 */
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";

/** The queue that has not moved in a minute has to shrink first. */
const retryAfterMs = 5_000;

export interface Deadline {
  readonly clock: Clock;
  /** It is aborted when the client has gone. */
  readonly client: AbortSignal;
  readonly waitMsMax: number;
}

/**
 * What `work` gives. Its signal is aborted, and the promise rejected at once, with OVERLOADED after
 * `waitMsMax` and with CANCELLED when `client` is aborted.
 */
export function withinDeadline<T>(
  { clock, client, waitMsMax }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (client.aborted) return Promise.reject(gone());
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const onClientGone = (): void => stop(gone());
    const cancelTimer = clock.schedule(waitMsMax, () => stop(late(waitMsMax)));
    client.addEventListener("abort", onClientGone, { once: true });
    const release = (): void => {
      cancelTimer();
      client.removeEventListener("abort", onClientGone);
    };
    const stop = (error: StrataError): void => {
      release();
      controller.abort(error);
      reject(error);
    };
    work(controller.signal).then(resolve, reject).finally(release);
  });
}

function gone(): StrataError {
  return new StrataError("CANCELLED", "Cannot answer: the client closed the connection");
}

function late(waitMsMax: number): StrataError {
  const state = `the limit is ${waitMsMax} ms`;
  return new StrataError("OVERLOADED", `Cannot answer in time: ${state}`, { retryAfterMs });
}
