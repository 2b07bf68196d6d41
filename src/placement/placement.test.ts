import assert from "node:assert/strict";
import { test } from "node:test";
import { groupBytes, type Profile, stageSeconds, type Unit } from "./placement.ts";

const configuration = { intraOp: 1, stageCount: 2 };

function shard(name: string, stageBytes: readonly number[], tableBytes: number): Unit {
  const latencies = [{ batchSize: 1, tokenCount: 1, stageSeconds: [1, 1] }];
  const shared = [
    { name: "base", deviceBytes: 100 },
    { name: "table", deviceBytes: tableBytes },
  ];
  return { name, tokenCount: 1, profiles: [{ configuration, latencies, stageBytes, shared }] };
}

test("a group needs each unit's largest stage, and what they share once at its largest", () => {
  const units = [shard("a", [3, 5], 20), shard("b", [7, 1], 30)];
  assert.equal(groupBytes(units, configuration), 5 + 7 + 100 + 30);
  assert.equal(groupBytes([], configuration), 0);
});

test("a unit without a profile of the configuration fits nowhere", () => {
  const units = [shard("a", [3, 5], 20)];
  assert.equal(groupBytes(units, { intraOp: 2, stageCount: 1 }), Infinity);
});

test("latencies are those of the smallest batch and length that a request fits into", () => {
  const row = (batchSize: number, tokenCount: number, seconds: number) => ({
    ...{ batchSize, tokenCount },
    stageSeconds: [seconds],
  });
  const profile: Profile = {
    configuration: { intraOp: 1, stageCount: 1 },
    latencies: [row(1, 32, 1), row(1, 128, 3), row(4, 32, 2), row(4, 128, 9)],
    stageBytes: [1],
  };
  assert.deepEqual(stageSeconds(profile, { batchSize: 1, tokenCount: 20 }), [1]);
  assert.deepEqual(stageSeconds(profile, { batchSize: 1, tokenCount: 33 }), [3]);
  assert.deepEqual(stageSeconds(profile, { batchSize: 2, tokenCount: 32 }), [2]);
  assert.deepEqual(stageSeconds(profile, { batchSize: 8, tokenCount: 512 }), [9]);
});
