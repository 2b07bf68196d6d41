/** Values and refusals in the words of the exams of runtimes. */
import { StrataError } from "../foundation/errors.ts";
import type { Value } from "./runtime.ts";

export function isRefusal(error: unknown, named: string): boolean {
  return (
    error instanceof StrataError &&
    error.code === "INVALID_ARGUMENT" &&
    error.message.includes(named)
  );
}

export function floats(shape: readonly number[], ...values: readonly number[]): Value {
  return { kind: "value", type: "float32", shape, values: Float32Array.from(values) };
}

export function sharedFloats(...values: readonly number[]): Float32Array {
  const pool = new Float32Array(new SharedArrayBuffer(4 * values.length));
  pool.set(values);
  return pool;
}
