/** Checks the split: sides by content alone, copies together, something to learn of each label. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { shortDigestCount } from "../foundation/digest.ts";
import { Pace } from "../foundation/pace.ts";
import { permutation, SeededRandom } from "../foundation/random.ts";
import { checkTrainable, shortageOf } from "./datasets.ts";
import { type Contents, distinctContents, splitByContent } from "./split.ts";

interface Row {
  /** The content's share, in 0 … 1. */
  readonly share: number;
  readonly label: number;
}

function contentsOf(rows: readonly Row[]): Contents {
  return {
    digests: Float64Array.from(rows, ({ share }) => Math.floor(share * shortDigestCount)),
    answers: Int32Array.from(rows, ({ label }) => label),
    labelsOf: (index) => [rows[index]?.label ?? -1],
  };
}

/** Contents that are held out, and those that are trained on. */
async function sidesOf(contents: Contents) {
  const { train, dev } = await splitByContent(contents, new Pace());
  const digests = (indices: Uint32Array): Set<number> =>
    new Set(Array.from(indices, (index) => contents.digests[index] ?? NaN));
  return { held: digests(dev), trained: digests(train) };
}

const rowArbitrary = fc.record({
  share: fc.integer({ min: 0, max: 49 }).map((step) => step / 50),
  label: fc.nat(3),
});
const rowsArbitrary = fc.array(rowArbitrary, { maxLength: 120 });

test("copies fall on one side, and each content is somewhere", async () => {
  await fc.assert(
    fc.asyncProperty(rowsArbitrary, async (rows) => {
      const contents = contentsOf(rows);
      const { held, trained } = await sidesOf(contents);
      assert.ok([...held].every((digest) => !trained.has(digest)));
      assert.deepEqual(new Set([...held, ...trained]), new Set(contents.digests));
      const { train, dev } = await splitByContent(contents, new Pace());
      assert.equal(dev.length, held.size, "each held-out content stands once");
      const heldRows = [...contents.digests].filter((digest) => held.has(digest));
      assert.equal(train.length + heldRows.length, rows.length);
    }),
  );
});

test("a side does not depend on place, copies, labels or other rows", async () => {
  // Each label has contents far from the border, so that no label is in need.
  const anchors = [0, 1, 2, 3].map((label) => ({ share: 0.9 + label / 100, label }));
  await fc.assert(
    fc.asyncProperty(rowsArbitrary, rowsArbitrary, fc.nat(), async (rows, more, seed) => {
      const before = await sidesOf(contentsOf([...rows, ...anchors]));
      const grown = [...more, ...rows, ...anchors, ...rows];
      const moved = [...permutation(grown.length, new SeededRandom(seed))].map((index) => ({
        share: grown[index]?.share ?? NaN,
        label: ((grown[index]?.label ?? 0) + index) % 4,
      }));
      const after = await sidesOf(contentsOf([...moved, ...anchors]));
      assert.ok([...before.held].every((digest) => after.held.has(digest)));
      assert.ok([...before.trained].every((digest) => after.trained.has(digest)));
    }),
  );
});

test("fifteen of a hundred contents are held out", async () => {
  const contents = contentsOf(
    Array.from({ length: 100 }, (_, step) => ({ share: (step + 0.5) / 100, label: 0 })),
  );
  assert.deepEqual(
    [...(await splitByContent(contents, new Pace())).dev],
    Array.from({ length: 15 }, (_, index) => index),
  );
});

test("of a label that would be held out whole, the highest content is trained on", async () => {
  const rows = [
    { share: 0.1, label: 1 },
    { share: 0.12, label: 1 },
    { share: 0.05, label: 1 },
    { share: 0.01, label: 0 },
    { share: 0.5, label: 0 },
    { share: 0.12, label: 1 },
  ];
  const { train, dev } = await splitByContent(contentsOf(rows), new Pace());
  assert.deepEqual([...train], [1, 4, 5]);
  assert.deepEqual([...dev], [0, 2, 3]);
});

test("a content under two labels stands for the one that most of its copies have", async () => {
  const rows = [3, 2, 2, 3, 2].map((label) => ({ share: 0.1, label }));
  const contents = contentsOf([...rows, { share: 0.9, label: 2 }, { share: 0.9, label: 3 }]);
  assert.deepEqual([...(await splitByContent(contents, new Pace())).dev], [4]);
  // As many have label 3 as have label 2: the last one is the latest word.
  const even = contentsOf([2, 3, 3, 2].map((label) => ({ share: 0.1, label })));
  assert.deepEqual([...(await distinctContents(even, new Pace()))], [3]);
});

test("what cannot be trained on is refused by name and limit", () => {
  const dataset = (all: readonly string[], labelCountMin = 2) => {
    const labels = [...new Set(all)];
    const labelCounts = labels.map((label) => all.filter((other) => other === label).length);
    return { shortage: shortageOf({ labels, labelCounts }, labelCountMin) };
  };
  checkTrainable(dataset(["a", "a", "b", "b"]));
  checkTrainable(dataset(["a", "a"], 1));
  const none = dataset([], 1);
  assert.throws(() => checkTrainable(none), { message: /at least 1 label, got 0$/ });
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /at least 2 labels, got 0$/],
    [["a", "a"], /at least 2 labels, got 1 \("a"\)/],
    [["a", "a", "b", "c"], /at least 2 examples of each label, got 1 of "b", 1 of "c"$/],
    [Array.from({ length: 1_001 }, (_, index) => `l${index}`), /at most 1000 labels, got 1001/],
  ];
  for (const [labels, message] of cases)
    assert.throws(() => checkTrainable(dataset(labels)), { code: "INVALID_ARGUMENT", message });
});
