import assert from "node:assert/strict";
import { test } from "node:test";
import {
  communicationFactorMax,
  dedicatedSeconds,
  imbalanceFactorMax,
  md1Seconds,
  pipelineSeconds,
} from "./exam-queueing.ts";

function near(actual: number, expected: number): void {
  assert.ok(Math.abs(actual - expected) < 1e-9, `expected ${expected}, got ${actual}`);
}

test("the mean time in an M/D/1 queue", () => {
  near(md1Seconds(0, 2), 2);
  // Half of the time busy: half a service time of waiting.
  near(md1Seconds(0.5, 1), 1.5);
  assert.equal(md1Seconds(1, 1), Infinity);
});

test("an even pipeline waits half as long as two devices, however uneven the shares", () => {
  const pipeline = pipelineSeconds(1, { allSeconds: 1, slowestSeconds: 0.5 }) - 1;
  near((dedicatedSeconds(1, 0.5, 1) - 1) / pipeline, 2);
  assert.ok(dedicatedSeconds(1, 0.8, 1) > dedicatedSeconds(1, 0.5, 1));
});

test("at the largest factors a pipeline is as good as two devices", () => {
  for (const load of [0.05, 0.5, 1, 1.5, 1.95]) {
    const devices = dedicatedSeconds(load, 0.5, 1);
    const alpha = communicationFactorMax(load);
    near(pipelineSeconds(load, { allSeconds: alpha, slowestSeconds: alpha / 2 }), devices);
    const beta = imbalanceFactorMax(load);
    near(pipelineSeconds(load, { allSeconds: 1, slowestSeconds: beta / 2 }), devices);
  }
});
