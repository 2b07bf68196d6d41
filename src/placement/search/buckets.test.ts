import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { bestSplits, bucketsOf, type Filled, latencyClusters } from "./buckets.ts";
import { unitOf } from "../exam-problem.ts";

function unitsOf(...seconds: number[]): ReturnType<typeof unitOf>[] {
  return seconds.map((value, index) => unitOf(`m${index}`, [value]));
}

describe("latencyClusters", () => {
  test("units within 38 % of the quickest are together", () => {
    const units = unitsOf(0.24, 0.15, 0.4, 0.2, 0.17, 0.3);
    assert.deepEqual(latencyClusters(units), [[1, 4, 3], [0, 5], [2]]);
  });

  test("a unit's latency is that of requests of its own length", () => {
    const [unit] = unitsOf(1);
    const latencies = [16, 64, 128].map((tokenCount) => ({
      ...{ batchSize: 1, tokenCount, stageSeconds: [tokenCount / 100] },
    }));
    const profiles = (unit?.profiles ?? []).map((profile) => ({ ...profile, latencies }));
    const units = [128, 16, 65, 10, 64].map((tokenCount, index) => ({
      ...{ name: `m${index}`, tokenCount, profiles },
    }));
    // Alone they take 1.28, 0.16, 1.28, 0.16 and 0.64 seconds.
    assert.deepEqual(latencyClusters(units), [[1, 3], [4], [0, 2]]);
  });

  test("there are four at most, however far apart latencies are", () => {
    const units = unitsOf(...Array.from({ length: 30 }, (_, index) => 1.5 ** index));
    assert.equal(latencyClusters(units).length, 4);
  });
});

describe("bucketsOf", () => {
  test("one cluster is one bucket of all devices", () => {
    assert.deepEqual(bucketsOf(1, 6), [{ from: 0, until: 1, deviceCount: 6 }]);
  });

  test("the first cluster's buckets take what does not divide", () => {
    // Steps of 2 on 13 devices.
    const counts = (from: number): number[] =>
      bucketsOf(2, 13)
        .filter((bucket) => bucket.until - bucket.from === 1 && bucket.from === from)
        .map(({ deviceCount }) => deviceCount);
    assert.deepEqual(counts(0), [1, 3, 5, 7, 9, 11]);
    assert.deepEqual(counts(1), [2, 4, 6, 8, 10, 12]);
  });
});

describe("bestSplits", () => {
  const filled = (
    [from, until]: [number, number],
    deviceCount: number,
    goodCount: number,
  ): Filled => {
    const counters = {
      unitRequests: new Uint32Array(0),
      unitGood: new Uint32Array(0),
      groupRequests: new Uint32Array(0),
      groupGood: new Uint32Array(0),
    };
    const counts = { requestCount: 100, goodCount, servedSeconds: 0, ...counters };
    return { from, until, deviceCount, candidate: { groups: [], counts } };
  };

  test("what buckets serve adds up, over all clusters and devices", () => {
    const parts = [
      filled([0, 3], 4, 50),
      ...[filled([0, 1], 1, 10), filled([0, 1], 2, 30)],
      ...[filled([1, 3], 2, 25), filled([1, 3], 3, 35)],
      ...[filled([1, 2], 1, 12), filled([2, 3], 1, 14)],
    ];
    const found = bestSplits(parts, 3, 4).map((split) => [
      split.goodCount,
      split.parts.map(({ from, until, deviceCount }) => [from, until, deviceCount]),
    ]);
    // 30 + 12 + 14 on 2 + 1 + 1 devices; 30 + 25 on 2 + 2; all in one on 4; 10 + 35 on 1 + 3.
    assert.deepEqual(found, [
      [
        56,
        [
          [0, 1, 2],
          [1, 2, 1],
          [2, 3, 1],
        ],
      ],
      [
        55,
        [
          [0, 1, 2],
          [1, 3, 2],
        ],
      ],
      [50, [[0, 3, 4]]],
      [
        45,
        [
          [0, 1, 1],
          [1, 3, 3],
        ],
      ],
    ]);
  });

  test("of one bucket the best shape counts, and devices are not left over", () => {
    const parts = [filled([0, 1], 2, 7), filled([0, 1], 2, 9), filled([0, 1], 1, 20)];
    assert.deepEqual(
      bestSplits(parts, 1, 2).map(({ goodCount }) => goodCount),
      [9],
    );
  });
});
