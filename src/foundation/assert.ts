/** Checks of our own invariants: a failure is a bug in Strata, never a fault of the input. */
import { AssertionError } from "node:assert";

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message, stackStartFn: assert });
}

/** Returns the value, which our own invariants say is there. */
export function present<T>(value: T | undefined | null, message: string): T {
  assert(value !== undefined && value !== null, message);
  return value;
}
