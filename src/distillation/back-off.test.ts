import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BackOff } from "./back-off.ts";

const text = Int32Array.of(1, 5, 7, 2);

describe("what a table would not tell of a token's neighbours", () => {
  it("hides nothing while the table holds every tri-gram, the rest while it holds none", () => {
    const all = new BackOff([text], { unigrams: 1, bigrams: 1, trigrams: 1 });
    assert.deepEqual([...all.hiddenIn(text)], [0, 0, 0, 0]);
    // (0, 1, 5) begins the text: it is a bi-gram that hides nothing; (5, 7, 2) has none to its
    // left. At the end (7, 2, 0) is whole again.
    const pairs = new BackOff([text], { unigrams: 1, bigrams: 1, trigrams: 0 });
    assert.deepEqual([...pairs.hiddenIn(text)], [0, 1, 1, 0]);
    const words = new BackOff([text], { unigrams: 1, bigrams: 0, trigrams: 0 });
    assert.deepEqual([...words.hiddenIn(text)], [2, 3, 3, 1]);
  });

  it("prefers the right neighbour, and takes the left one where only that is known", () => {
    const others = [Int32Array.of(5, 7, 9, 4), Int32Array.of(3, 7, 2)];
    const table = new BackOff(others, { unigrams: 1, bigrams: 1, trigrams: 1 });
    // (1, 5, 7): (0, 5, 7) is known. (5, 7, 2): (0, 7, 2) is. (7, 2, 0): it ends a text there.
    assert.deepEqual([...table.hiddenIn(text)], [2, 1, 1, 0]);
    // (5, 7, 8): of both pairs only (5, 7, 0) is known, and of 8 nothing.
    assert.deepEqual([...table.hiddenIn(Int32Array.of(5, 7, 8))], [0, 2, 1]);
  });

  it("hides both neighbours of a word that the table does not know at all", () => {
    const table = new BackOff([text], { unigrams: 1, bigrams: 1, trigrams: 1 });
    assert.deepEqual([...table.hiddenIn(Int32Array.of(1, 11, 2))], [2, 3, 1]);
  });
});
