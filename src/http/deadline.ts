/** The longest that a request may take, and its end when the client has gone. */
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

/**
 * What `work` gives. Its signal is aborted, and the promise rejected at once, with DEADLINE after
 * `requestWaitMsMax` and with CANCELLED when `client` is aborted.
 */
export function withinDeadline<T>(
  clock: Clock,
  client: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (client.aborted) return Promise.reject(gone());
  const controller = new AbortController();
  return new Promise<T>((resolve, reject) => {
    const onClientGone = (): void => stop(gone());
    const cancelTimer = clock.schedule(limits.requestWaitMsMax, () => stop(late()));
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

function late(): StrataError {
  return new StrataError(
    "DEADLINE",
    `Cannot answer in time: the limit is ${limits.requestWaitMsMax} ms`,
  );
}
