/** Checks the split: each index once, shares per label, the same seed the same split. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkTrainable, type Dataset, type Example } from "./datasets.ts";
import { splitExamples } from "./split.ts";

const labelled = (labels: readonly string[]): Example[] =>
  labels.map((label, index) => ({ text: `t${index}`, label }));

test("each index is in one part, and each label of two or more in both", () => {
  const labels = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 200 });
  const share = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  fc.assert(
    fc.property(labels, share, fc.nat(), (names, devShare, seed) => {
      const { train, dev } = splitExamples(labelled(names), { devShare, seed });
      const all = [...train, ...dev].toSorted((left, right) => left - right);
      assert.deepEqual(all, [...names.keys()]);
      for (const label of new Set(names)) {
        const total = names.filter((name) => name === label).length;
        const count = [...dev].filter((index) => names[index] === label).length;
        if (total === 1) assert.equal(count, 0);
        else assert.ok(count >= 1 && count < total);
        if (total > 1) assert.ok(Math.abs(count - devShare * total) <= 1);
      }
    }),
  );
});

test("a seed repeats its split, another seed gives another", () => {
  const examples = labelled(Array.from({ length: 100 }, (_, index) => `l${index % 2}`));
  const split = (seed: number): string =>
    splitExamples(examples, { devShare: 0.2, seed }).dev.join();
  assert.equal(split(1), split(1));
  assert.notEqual(split(1), split(2));
});

test("what cannot be trained on is refused by name and limit", () => {
  const dataset = (all: readonly string[]): Pick<Dataset, "labels" | "labelCounts"> => {
    const labels = [...new Set(all)];
    return {
      labels,
      labelCounts: labels.map((label) => all.filter((other) => other === label).length),
    };
  };
  checkTrainable(dataset(["a", "a", "b", "b"]));
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /at least 2 labels, got 0$/],
    [["a", "a"], /at least 2 labels, got 1 \("a"\)/],
    [["a", "a", "b", "c"], /at least 2 examples of each label, got 1 of "b", 1 of "c"$/],
    [Array.from({ length: 1_001 }, (_, index) => `l${index}`), /at most 1000 labels, got 1001/],
  ];
  for (const [labels, message] of cases)
    assert.throws(() => checkTrainable(dataset(labels)), { code: "INVALID_ARGUMENT", message });
});
