/** Checks the measures against values worked out by hand and from printed tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pairedDifference, ratioInterval, shareInterval } from "./metrics.ts";

test("the interval of a ratio of sums, worked out by hand", () => {
  // 4 texts: the ratio is 6 / 12; Σ (r - c / 2)² = 1 + 1 + 1 + 1, so that the variance is
  // 4 / 144 · 4 / 3 = 1 / 27, which 0.25 · 27 = 6.75 independent cases have; but there are 6.
  const spread = [
    { right: 2, count: 2 },
    { right: 0, count: 2 },
    { right: 3, count: 4 },
    { right: 1, count: 4 },
  ];
  assert.deepEqual(ratioInterval(spread), { ...shareInterval(3, 6), mean: 0.5 });
  // Whole texts right or wrong: a variance of 16 / 256 · 4 / 3 = 1 / 12, as of 3 cases.
  const whole = [4, 0, 4, 0].map((right) => ({ right, count: 4 }));
  assert.deepEqual(ratioInterval(whole), { ...shareInterval(1.5, 3), mean: 0.5 });
  // All right: as many cases as there are.
  const right = [2, 0, 4].map((count) => ({ right: count, count }));
  assert.deepEqual(ratioInterval(right), { ...shareInterval(3, 3), mean: 1 });
  assert.equal(ratioInterval([{ right: 0, count: 1 }]).low, 0);
});

test("Wilson's interval of a share, against printed values", () => {
  // As R's prop.test prints them, without correction.
  for (const [rightCount, count, low, high] of [
    [8, 10, 0.4902, 0.9433],
    [0, 20, 0, 0.1611],
    [20, 20, 0.8389, 1],
  ] as const) {
    const found = shareInterval(rightCount, count);
    assert.equal(found.mean, rightCount / count);
    assert.ok(Math.abs(found.low - low) < 1e-4, `low ${found.low}`);
    assert.ok(Math.abs(found.high - high) < 1e-4, `high ${found.high}`);
  }
});

test("the interval of a paired difference belongs to the exact sign test", () => {
  const differenceOf = (firstOnlyCount: number, secondOnlyCount: number, count: number) =>
    pairedDifference({ count, firstOnlyCount, secondOnlyCount });
  // All of 10 are the second's: the lower bound of the share is 0.05^(1/10) = 0.7411.
  const all = differenceOf(0, 10, 20);
  assert.equal(all.mean, 0.5);
  assert.ok(Math.abs(all.low - ((2 * 0.7411 - 1) * 10) / 20) < 1e-4, `${all.low}`);
  assert.equal(all.high, 0.5);
  assert.deepEqual(differenceOf(0, 0, 7), { mean: 0, low: 0, high: 0 });
  // One-sided probabilities of the binomial with p = 1/2, worked out from its coefficients.
  const tail = (k: number, n: number): number => {
    let [total, coefficient] = [0, 1];
    for (let x = 0; x <= n; x++) {
      if (x >= k) total += coefficient;
      coefficient = (coefficient * (n - x)) / (x + 1);
    }
    return total / 2 ** n;
  };
  for (let differing = 1; differing <= 40; differing++)
    for (let wins = 0; wins <= differing; wins++) {
      const { low, high } = differenceOf(differing - wins, wins, 100);
      const mirrored = differenceOf(wins, differing - wins, 100);
      assert.equal(low > 0, tail(wins, differing) < 0.05, `${wins} of ${differing}`);
      assert.ok(Math.abs(mirrored.high + low) < 1e-9 && Math.abs(mirrored.low + high) < 1e-9);
    }
  // Thousands of cases do not overflow.
  const many = differenceOf(1_000, 1_200, 4_000);
  assert.ok(many.low > 0 && many.low < many.mean && many.mean < many.high && many.high < 0.1);
});
