/**
 * An owner of names on a server that is killed again and again: it alone changes what it owns, one
 * change after the other, and so knows what must be there, but for the change that was under way.
 */
import type { Client } from "../../src/client/client.ts";
import { StrataError } from "../../src/foundation/errors.ts";

export interface Owner {
  /** Asks and changes until the server is gone: then it rejects as a lost call does. */
  live(client: Client): Promise<void>;
  /** Fails unless all that was acknowledged is there as it was, and nothing is half there. */
  check(client: Client): Promise<void>;
}

/** Whether the call's outcome is unknown, since the server has gone. */
export function isLost(error: unknown): boolean {
  return error instanceof StrataError && error.code === "UNAVAILABLE";
}

/** Undefined for what is not there. */
export async function unlessAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof StrataError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}
