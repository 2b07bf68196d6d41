/** Checks the measures against values worked out by hand and from printed tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entitiesOf, entityF1, pairedDifference, shareInterval } from "./metrics.ts";

/** "B-X I-X O" as the spans that it means: "X 0-2". */
function spans(labels: string): string {
  const entities = entitiesOf(labels.split(" "));
  return entities.map(({ type, start, end }) => `${type} ${start}-${end}`).join(", ");
}

test("entities of BIO, of I- alone and of broken sequences", () => {
  const cases = [
    ["O O", ""],
    ["B-X I-X O B-Y", "X 0-2, Y 3-4"],
    ["B-X B-X I-X", "X 0-1, X 1-3"],
    // Without B-, neighbours of one type are one entity.
    ["I-X I-X O I-X", "X 0-2, X 3-4"],
    ["I-X I-Y I-Y", "X 0-1, Y 1-3"],
    // B- between neighbours only.
    ["I-X B-X I-X", "X 0-1, X 1-3"],
    // Broken: I- after O, and I- of another type than its B-.
    ["O I-X I-X", "X 1-3"],
    ["B-X I-Y I-X", "X 0-1, Y 1-2, X 2-3"],
    ["I-X", "X 0-1"],
  ] as const;
  for (const [labels, expected] of cases) assert.equal(spans(labels), expected, labels);
});

test("entity F1 of sentences worked out by hand", () => {
  const words = (...sentences: readonly string[]) => sentences.map((labels) => labels.split(" "));
  const expected = words("B-X I-X O B-Y", "O O", "I-X O I-X");
  assert.equal(entityF1(expected, expected), 1);
  // Right: Y of the first, the last X of the third. Wrong: an end, a type, one too many.
  const predicted = words("B-X O O B-Y", "B-X O", "B-Y O B-X");
  assert.equal(entityF1(expected, predicted), (2 * 2) / (4 + 5));
  // B- and I- may differ where they mean the same entity.
  assert.equal(entityF1(words("I-X I-X"), words("B-X I-X")), 1);
  assert.equal(entityF1(words("B-X I-X"), words("B-X B-X")), 0);
  assert.equal(entityF1(words("O"), words("O")), 0);
  assert.equal(entityF1([], []), 0);
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
