/**
 * The one place that loads ONNX Runtime, and silences it first: unless it is told not to, release
 * 1.30 sends usage events to its maker and keeps a queue of them in the user's cache.
 */
import { isMainThread } from "node:worker_threads";
import type * as Ort from "onnxruntime-node";
import { assert } from "../../foundation/assert.ts";

const variable = "ORT_DISABLE_TELEMETRY";

/** The library, silenced. */
export async function loadOrt(): Promise<typeof Ort> {
  silenceOrt();
  return import("onnxruntime-node");
}

/**
 * Must be called by a main thread before it starts a worker that loads the library: a worker's
 * environment is a copy, which native code does not see.
 */
export function silenceOrt(): void {
  // The library reads nothing but the process's environment.
  // oxlint-disable-next-line no-restricted-properties
  const { env } = process;
  if (isMainThread) env[variable] = "1";
  assert(env[variable] === "1", "ONNX Runtime is silenced before a worker starts");
}
