/** The thread of the solver leaves nothing behind. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { solveInThread } from "./ridge-solver.ts";

test("nobody listens to the signal any more when the head is there", async () => {
  const { signal } = new AbortController();
  const features = Float32Array.of(1, 1, -1, 1);
  const weighting = { weights: Float32Array.of(1, 1), gram: Float32Array.of(2, 0, 0, 2) };
  const problem = {
    features,
    labels: Int32Array.of(0, 1),
    digests: Float64Array.of(1, 2),
    width: 2,
    labelCount: 2,
    weightings: [weighting],
    asked: features,
  };
  const { answers } = await solveInThread(problem, signal);
  assert.deepEqual([...answers], [0, 1]);
  assert.deepEqual(getEventListeners(signal, "abort"), []);
});
