import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  dealFunctions,
  demandOfCounts,
  drawArrivals,
  fitDemand,
  mergeArrivals,
  scaleDemand,
  steadyDemand,
} from "./demand.ts";
import { digamma, fitGamma } from "./gamma.ts";

describe("arrivals", () => {
  test("are merged by time, those of one moment in the units' order", () => {
    const { seconds, units } = mergeArrivals([[1, 3], [], [0, 1, 1]]);
    assert.deepEqual([...seconds], [0, 1, 1, 1, 3]);
    assert.deepEqual([...units], [2, 0, 2, 2, 0]);
  });

  test("are drawn with the demand's rate and burstiness, in every window", () => {
    for (const cv of [0.5, 1, 2]) {
      const demand = { windowSeconds: 2000, loads: [[5, 0, 20].map((rate) => ({ rate, cv }))] };
      const options = { unitCount: 1, windowSeconds: 2000, durationSeconds: 6000 };
      const fitted = fitDemand(drawArrivals(demand, 1), options).loads[0] ?? [];
      assert.equal(fitted[1]?.rate, 0);
      const ratios = fitted.map((load) => [load.rate, load.cv / cv]).flat();
      assertNear(ratios.toSpliced(2, 2), [5, 1, 20, 1], 0.08);
    }
  });

  test("of many short windows are as many as the rate says, though bursty", () => {
    // Windows that began with an arrival would bring 7.5 more each.
    const windows = Array.from({ length: 4000 }, () => ({ rate: 2, cv: 4 }));
    const { seconds } = drawArrivals({ windowSeconds: 10, loads: [windows] }, 3);
    assert.ok(Math.abs(seconds.length / 40_000 / 2 - 1) < 0.08, String(seconds.length));
  });

  test("are ascending, alike for one seed, and a unit's own whatever the others do", () => {
    const load = fc.record({
      rate: fc.double({ min: 0, max: 5, noNaN: true }),
      cv: fc.constantFrom(0, 0.5, 1, 3),
    });
    const some = fc.array(load, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(some, fc.nat(), (loads, seed) => {
        const arrivals = drawArrivals(steadyDemand(loads, 30), seed);
        assert.deepEqual(drawArrivals(steadyDemand(loads, 30), seed), arrivals);
        assert.deepEqual(arrivals.seconds, arrivals.seconds.toSorted());
        assert.ok(arrivals.seconds.every((seconds) => seconds >= 0 && seconds < 30));
        const first = drawArrivals(steadyDemand(loads.slice(0, 1), 30), seed).seconds;
        assert.deepEqual(
          first,
          arrivals.seconds.filter((_, index) => arrivals.units[index] === 0),
        );
      }),
    );
  });
});

describe("one seed", () => {
  test("gives the same arrivals, and the same fit to them, on every engine", () => {
    const loads = [0.4, 1, 3, 8.6].map((cv) => ({ rate: 4, cv }));
    const arrivals = drawArrivals(steadyDemand(loads, 300), 5);
    const options = { unitCount: 4, windowSeconds: 100, durationSeconds: 300 };
    const fitted = fitDemand(arrivals, options)
      .loads.flat()
      .map(({ rate, cv }) => [rate, cv]);
    const digestOf = (values: Float64Array | Uint32Array): string =>
      createHash("sha256").update(values).digest("hex").slice(0, 16);
    const digests = [arrivals.seconds, arrivals.units, Float64Array.from(fitted.flat())];
    // Written down from Node 20.20, 22.23 and 24.21, which agree.
    assert.deepEqual(digests.map(digestOf), [
      "3d2b820b2383c6ad",
      "8e23b529974153dd",
      "03d621e62620598a",
    ]);
  });
});

describe("demand", () => {
  test("of counts has the counts' rates, and a CV that it is given", () => {
    const options = { bucketSeconds: 60, windowSeconds: 120, cv: 4 };
    const { loads } = demandOfCounts([[60, 180, 0, 0, 12]], options);
    const rates = [2, 0, 0.1];
    assert.deepEqual(loads, [rates.map((rate) => ({ rate, cv: 4 }))]);
  });

  test("where a window has too few arrivals is what was counted, at random", () => {
    const options = { unitCount: 1, windowSeconds: 10, durationSeconds: 20 };
    const { loads } = fitDemand(mergeArrivals([[1, 2]]), options);
    assert.deepEqual(loads, [
      [
        { rate: 0.2, cv: 1 },
        { rate: 0, cv: 1 },
      ],
    ]);
  });

  test("whose fit is far above the count keeps the counted rate", () => {
    // 100 arrivals within 1 s of a window of 100 s: their gaps tell of 100 a second.
    const burst = Array.from({ length: 100 }, (_, index) => index / 100);
    const options = { unitCount: 1, windowSeconds: 100, durationSeconds: 100 };
    assert.equal(fitDemand(mergeArrivals([burst]), options).loads[0]?.[0]?.rate, 1);
  });

  test("is scaled in rate and burstiness", () => {
    const demand = steadyDemand([{ rate: 2, cv: 3 }], 10);
    assert.deepEqual(scaleDemand(demand, { rate: 2, cv: 0.5 }).loads, [[{ rate: 4, cv: 1.5 }]]);
  });

  test("deals functions that have requests, in turn or in blocks", () => {
    const counts = [1, 0, 1, 1, 1, 0, 1];
    assert.deepEqual(dealFunctions(counts, 3, "stripe"), [[0, 4], [2, 6], [3]]);
    assert.deepEqual(dealFunctions(counts, 3, "blocks"), [[0, 2], [3, 4], [6]]);
  });
});

describe("the Gamma distribution", () => {
  test("digamma has its known values", () => {
    const euler = 0.5772156649015329;
    assert.ok(Math.abs(digamma(1) + euler) < 1e-13);
    assert.ok(Math.abs(digamma(0.5) + euler + 2 * Math.log(2)) < 1e-13);
    assert.ok(Math.abs(digamma(10) - 2.251752589066721) < 1e-13);
  });

  test("a fit satisfies the equation of likelihood, and keeps the mean", () => {
    const values = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 3 });
    fc.assert(
      fc.property(values, (sample) => {
        const mean = sample.reduce((a, b) => a + b, 0) / sample.length;
        const meanLog = sample.reduce((a, b) => a + Math.log(b), 0) / sample.length;
        fc.pre(Math.log(mean) - meanLog > 1e-3);
        const { shape, scale } = fitGamma(sample);
        assert.ok(Math.abs(shape * scale - mean) < 1e-9 * mean);
        assert.ok(Math.abs(Math.log(shape) - digamma(shape) - Math.log(mean) + meanLog) < 1e-9);
      }),
    );
  });
});

function assertNear(actual: readonly number[], expected: readonly number[], share: number): void {
  for (const [index, value] of expected.entries())
    assert.ok(Math.abs((actual[index] ?? NaN) / value - 1) <= share, String(actual));
}
