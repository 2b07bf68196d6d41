/**
 * Waiting for a server on this machine: who starts one in the background calls it at once, and it
 * loads its base models for some seconds before it listens. Other hosts are not waited for.
 */
import { pause } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { isLoopback } from "../foundation/loopback.ts";
import type { Output } from "./output.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Patience {
  readonly surroundings: Surroundings;
  readonly output: Output;
  readonly seconds: number;
}

/** The time between two looks. */
const pollMs = 100;

/** UNAVAILABLE when nobody listens in time; other faults are told by the call that follows. */
export async function awaitServer(
  baseUrl: string,
  { surroundings, output, seconds }: Patience,
): Promise<void> {
  // An address of IPv6 has brackets in a URL.
  if (!isLoopback(new URL(baseUrl).hostname.replace(/^\[|\]$/g, ""))) return;
  const { clock, signal } = surroundings;
  const end = clock.monotonic() + 1000 * seconds;
  for (let lookCount = 1; ; lookCount++) {
    const state = await stateOf(baseUrl, signal);
    const leftMs = end - clock.monotonic();
    if (signal.aborted) throw new StrataError("CANCELLED", "Cannot call the server: interrupted");
    if (state === "ready" || (state === "starting" && leftMs <= 0)) return;
    if (leftMs <= 0) throw absent(baseUrl);
    if (lookCount === 1) output.note(`Waiting up to ${seconds} s for the server at ${baseUrl}`);
    await pause(clock, Math.min(pollMs, leftMs), signal);
  }
}

type State = "absent" | "starting" | "ready";

async function stateOf(baseUrl: string, signal: AbortSignal): Promise<State> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.serverProbeMsMax)]);
  try {
    const response = await fetch(new URL("/readyz", baseUrl), { signal: limit });
    await response.body?.cancel();
    return response.status === 503 ? "starting" : "ready";
  } catch (error) {
    return isRefusal(error) ? "absent" : "ready";
  }
}

/** `fetch` hides what happened in causes; a name such as localhost may stand for two addresses. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("code" in error && error.code === "ECONNREFUSED") return true;
  return error instanceof AggregateError ? error.errors.every(isRefusal) : isRefusal(error.cause);
}

function absent(url: string): StrataError {
  const cure =
    'nothing listens there; start a server with "strata serve", or wait longer for one that is ' +
    "starting, with --patience 120";
  return new StrataError("UNAVAILABLE", `Cannot reach the server at ${url}: ${cure}`);
}
