/** Checks the measures against values worked out by hand and from printed t tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accuracy, confusion, macroF1, meanInterval } from "./metrics.ts";

test("accuracy and macro F1 of a confusion worked out by hand", () => {
  const table = confusion([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2], 4);
  assert.deepEqual([...table.counts], [2, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
  assert.equal(accuracy(table), 4 / 6);
  // F1: 2·2/5, 2·1/4, 2·1/3; the fourth class never occurs.
  assert.ok(Math.abs(macroF1(table) - (4 / 5 + 1 / 2 + 2 / 3) / 3) < 1e-12);
  assert.equal(accuracy(confusion([], [], 2)), 0);
});

test("perfect predictions score 1, and no score leaves [0, 1]", () => {
  const classes = fc.array(fc.nat(4), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(classes, fc.nat(), (expected, shift) => {
      const perfect = confusion(expected, expected, 5);
      assert.equal(accuracy(perfect), 1);
      assert.equal(macroF1(perfect), 1);
      const other = confusion(
        expected,
        expected.map((value, index) => (value + shift * index) % 5),
        5,
      );
      for (const score of [accuracy(other), macroF1(other)]) assert.ok(score >= 0 && score <= 1);
    }),
  );
});

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
