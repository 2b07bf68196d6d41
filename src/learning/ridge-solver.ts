/** Solves a ridge problem in a thread of its own: others are served meanwhile. */
import { Worker } from "node:worker_threads";
import { wrapError } from "../foundation/errors.ts";
import type { RidgeProblem, RidgeSolution } from "./ridge.ts";

/** Takes the arrays of features over. */
export type RidgeSolver = (problem: RidgeProblem, signal?: AbortSignal) => Promise<RidgeSolution>;

/** Rejects with the signal's reason; then the thread ends. */
export const solveInThread: RidgeSolver = async (problem, signal) => {
  signal?.throwIfAborted();
  const buffers = new Set<ArrayBufferLike>([problem.features.buffer, problem.asked.buffer]);
  const worker = new Worker(new URL("./ridge-worker.js", import.meta.url), {
    workerData: problem,
    transferList: [...buffers].filter((buffer) => buffer instanceof ArrayBuffer),
  });
  let onAbort = (): void => {};
  try {
    return await new Promise<RidgeSolution>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", (error) => {
        reject(wrapError(error, "INTERNAL", "Cannot fit the head"));
      });
      onAbort = () => reject(wrapError(signal?.reason, "CANCELLED", "Cannot fit"));
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  } finally {
    signal?.removeEventListener("abort", onAbort);
    await worker.terminate();
  }
};
