import assert from "node:assert/strict";
import { test } from "node:test";
import { arrivalsOf } from "./exam-problem.ts";
import { reportOf } from "./report.ts";

const arrivals = arrivalsOf([0, 0], [1, 1], [2, 0], [3, 1], [4, 0]);
const outcomes = {
  isGood: Uint8Array.of(1, 1, 0, 1, 0),
  finishSeconds: Float64Array.of(1, 4, 2, 5, 4),
  groups: Int32Array.of(0, 0, 0, 1, -1),
};
const counts = { unitCount: 2, groupCount: 2 };

test("a report counts by unit and group, and times what was served", () => {
  assert.deepEqual(reportOf(arrivals, outcomes, counts), {
    requestCount: 5,
    goodCount: 3,
    attainment: 0.6,
    meanSeconds: 2,
    p50Seconds: 2,
    p99Seconds: 2,
    units: [
      { requestCount: 3, goodCount: 1 },
      { requestCount: 2, goodCount: 2 },
    ],
    groups: [
      { requestCount: 3, goodCount: 2 },
      { requestCount: 1, goodCount: 1 },
    ],
  });
});

test("ends are cut by count, at the mean rate", () => {
  // 1 s of 4 s is a quarter of 5 requests, whole ones: one at each end.
  const report = reportOf(arrivals, outcomes, { ...counts, trimSeconds: 1 });
  assert.deepEqual([report.requestCount, report.goodCount], [3, 2]);
});

test("of no requests none was missed", () => {
  const none = { isGood: new Uint8Array(), finishSeconds: new Float64Array() };
  const report = reportOf(arrivalsOf(), { ...none, groups: new Int32Array() }, counts);
  assert.deepEqual([report.attainment, report.requestCount, report.p99Seconds], [1, 0, 0]);
});
