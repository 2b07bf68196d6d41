import assert from "node:assert/strict";
import { test } from "node:test";
import { simulateBatching } from "./batching.ts";
import { alone, arrivalsOf } from "../exam-problem.ts";
import { idealProfile, type Outcomes, type Unit } from "../placement.ts";

/** A batch of 1 takes 1 s, of 2 takes 1.5 s, of 4 takes 2 s. */
const latencies = [1, 1.5, 2].map((seconds, index) => ({
  ...{ batchSize: 2 ** index, tokenCount: 1, stageSeconds: [seconds] },
}));
const units: readonly Unit[] = ["a", "b"].map((name) => ({
  ...{ name, tokenCount: 1, profiles: [{ configuration: alone, latencies, stageBytes: [1] }] },
}));

function run(deadline: number, ...requests: readonly [number, number][]): Outcomes {
  return simulateBatching({
    units,
    deadlineSeconds: [deadline, deadline],
    arrivals: arrivalsOf(...requests),
    layouts: [{ configuration: alone, units: [0, 1] }],
    profile: idealProfile,
  });
}

test("the first runs at once, those that came meanwhile together", () => {
  const { finishSeconds, isGood } = run(9, [0, 0], [0.1, 0], [0.2, 0], [0.3, 0]);
  // Three wait at 1: a batch of 2, then one alone.
  assert.deepEqual([...finishSeconds], [1, 2.5, 2.5, 3.5]);
  assert.deepEqual([...isGood], [1, 1, 1, 1]);
});

test("a batch is as large as the first one's deadline allows", () => {
  // A batch of 2 from 1 on would answer the second request after 2.4 s.
  const { finishSeconds } = run(2.3, [0, 0], [0.1, 0], [0.9, 0]);
  assert.deepEqual([...finishSeconds], [1, 2, 3]);
});

test("the unit whose first request is oldest goes first", () => {
  const { finishSeconds } = run(9, [0, 0], [0.1, 1], [0.2, 0], [0.3, 1]);
  assert.deepEqual([...finishSeconds], [1, 2.5, 3.5, 2.5]);
});

test("a request that cannot make it is dropped and holds up nobody", () => {
  const { finishSeconds, isGood } = run(1.5, [0, 0], [0.1, 0], [0.8, 0]);
  assert.deepEqual([...isGood], [1, 0, 1]);
  assert.deepEqual([...finishSeconds], [1, 0.1, 2]);
});
