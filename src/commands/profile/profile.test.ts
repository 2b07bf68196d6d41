import assert from "node:assert/strict";
import { test } from "node:test";
import { smallConfig, smallWeights } from "../../checkpoints/exam-encoder.ts";
import { systemClock } from "../../foundation/clock.ts";
import { profileOf, stageSeconds } from "../../placement/placement.ts";
import { ReferenceRuntime } from "../../runtime/reference/reference.ts";
import { defaultShapes, profileEncoder, profileEngine, type ProfileProgress } from "./profile.ts";

const options = {
  name: "small",
  config: smallConfig,
  precision: "fp32",
  rank: 4,
  coreCounts: [1, 2],
  batchSizes: [1, 2],
  tokenCounts: [4, 8],
  clock: systemClock,
} as const;

test("cores, batches and layers are measured and cut into every number of stages", async () => {
  const weights = await smallWeights(new ReferenceRuntime());
  const signal = new AbortController().signal;
  const seen: ProfileProgress[] = [];
  const profile = await profileEncoder({ ...options, weights, signal }, (p) => seen.push(p));
  assert.deepEqual(
    seen.map(({ coreCount, batchSize, tokenCount }) => [coreCount, batchSize, tokenCount]),
    [1, 2].flatMap((cores) => [1, 2].flatMap((batch) => [4, 8].map((t) => [cores, batch, t]))),
  );
  assert.ok(seen.every(({ doneCount, shapeCount }, i) => doneCount === i + 1 && shapeCount === 8));
  const { unit, layerBytes, times, simulation } = profile;
  assert.ok(times.every(({ wholeSeconds }) => wholeSeconds > 0));
  assert.ok(simulation.startSeconds > 0);
  assert.deepEqual(
    unit.profiles.map(({ configuration: { intraOp, stageCount } }) => [intraOp, stageCount]),
    [1, 2].flatMap((cores) => [1, 2, 3].map((stages) => [cores, stages])),
  );
  for (const found of unit.profiles) {
    const stages = stageSeconds(found, { batchSize: 2, tokenCount: 8 });
    assert.equal(stages.length, found.configuration.stageCount);
    assert.ok(stages.every((seconds) => seconds >= 0));
  }
  // 13 words, 16 positions, a segment and two norms of 8 beside the layer's own weights.
  assert.equal((layerBytes[0] ?? 0) - (layerBytes[1] ?? 0), 4 * 8 * (13 + 16 + 1 + 2));
  const bytes = layerBytes.reduce((a, b) => a + b, 0);
  const whole = profileOf(unit, { intraOp: 2, stageCount: 1 });
  assert.deepEqual(whole?.stageBytes, [bytes / 2]);
});

test("an abort ends it with the signal's reason", async () => {
  const weights = await smallWeights(new ReferenceRuntime());
  const controller = new AbortController();
  const run = profileEncoder({ ...options, weights, signal: controller.signal }, () =>
    controller.abort(new Error("enough")),
  );
  await assert.rejects(run, /enough/);
});

test("a base must have been pulled", async () => {
  const signal = new AbortController().signal;
  const run = profileEngine({ ...options, cacheFolder: "/nowhere", signal }, () => {});
  await assert.rejects(run, { code: "NOT_FOUND" });
});

test("the core counts of a machine are powers of two", () => {
  assert.deepEqual(defaultShapes(6).coreCounts, [1, 2, 4]);
});
