import assert from "node:assert/strict";
import { test } from "node:test";
import { profilesOf } from "./layer-times.ts";

const row = {
  intraOp: 1,
  batchSize: 1,
  tokenCount: 8,
  layerSeconds: [4, 1, 1, 2],
  hopSeconds: 0.5,
};

test("stages are the sums of the layers between the best cuts, and a hop each", () => {
  const longer = { ...row, tokenCount: 16, layerSeconds: [4, 4, 3, 5] };
  const batch = { ...row, batchSize: 2, layerSeconds: [9, 0, 0, 0] };
  const profiles = profilesOf({
    times: [batch, row, longer],
    layerBytes: [10, 20, 30, 40],
    stageCounts: [1, 2, 5],
  });
  // The longer request decides that two layers go into either stage.
  assert.deepEqual(profiles, [
    {
      configuration: { intraOp: 1, stageCount: 1 },
      latencies: [
        { batchSize: 2, tokenCount: 8, stageSeconds: [9.5] },
        { batchSize: 1, tokenCount: 8, stageSeconds: [8.5] },
        { batchSize: 1, tokenCount: 16, stageSeconds: [16.5] },
      ],
      stageBytes: [100],
    },
    {
      configuration: { intraOp: 1, stageCount: 2 },
      latencies: [
        { batchSize: 2, tokenCount: 8, stageSeconds: [9.5, 0.5] },
        { batchSize: 1, tokenCount: 8, stageSeconds: [5.5, 3.5] },
        { batchSize: 1, tokenCount: 16, stageSeconds: [8.5, 8.5] },
      ],
      stageBytes: [30, 70],
    },
  ]);
});

test("devices that share a stage share its weights", () => {
  const [profile] = profilesOf({
    times: [{ ...row, intraOp: 2 }],
    layerBytes: [10, 20, 30, 40],
    stageCounts: [1],
  });
  assert.deepEqual(profile?.configuration, { intraOp: 2, stageCount: 1 });
  assert.deepEqual(profile.stageBytes, [50]);
});
