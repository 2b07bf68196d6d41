/** Checks the interval against printed t tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { meanInterval } from "./mean-interval.ts";

test("the interval uses the t of the printed tables", () => {
  // Two-sided: confidence, degrees of freedom, t.
  const table = [
    [0.95, 1, 12.7062],
    [0.95, 2, 4.3027],
    [0.95, 3, 3.1824],
    [0.95, 4, 2.7764],
    [0.99, 9, 3.2498],
    [0.9, 29, 1.6991],
    [0.95, 120, 1.9799],
  ] as const;
  for (const [confidence, freedom, expected] of table) {
    // n values of mean 0 and deviation s: half of them -1, half 1, one 0 when n is odd.
    const count = freedom + 1;
    const pairs = Math.floor(count / 2);
    const values = Array.from({ length: count }, (_, index) =>
      index < 2 * pairs ? (index % 2) * 2 - 1 : 0,
    );
    const deviation = Math.sqrt((2 * pairs) / freedom);
    const { mean, low, high } = meanInterval(values, confidence);
    assert.equal(mean, 0);
    const bound = (high * Math.sqrt(count)) / deviation;
    assert.ok(Math.abs(bound - expected) < 1e-4, `${confidence} ${freedom}: ${bound}`);
    assert.ok(Math.abs(low + high) < 1e-12);
  }
});
