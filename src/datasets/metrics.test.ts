/** Checks the measures against values worked out by hand and from printed t tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { accuracy, confusion, entitiesOf, entityF1, macroF1, meanInterval } from "./metrics.ts";

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
