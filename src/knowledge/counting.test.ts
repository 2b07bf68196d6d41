import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chooseNgrams, frequentNgrams, NgramCounter } from "./counting.ts";
import { NgramMap, packNgram, unpackNgram } from "./ngram-map.ts";

function entries(map: NgramMap): Record<string, number> {
  const found: [string, number][] = [];
  map.forEach((high, low, value) => {
    const ngram = new Int32Array(3);
    unpackNgram({ high, low }, ngram, 0);
    found.push([ngram.join(), value]);
  });
  return Object.fromEntries(found.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function mapOf(counts: readonly (readonly [readonly number[], number])[]): NgramMap {
  const map = new NgramMap();
  for (const [ngram, count] of counts) {
    const { high, low } = packNgram(Int32Array.from(ngram), 0);
    map.set(high, low, count);
  }
  return map;
}

function rows(ngrams: Int32Array): readonly string[] {
  return Array.from({ length: ngrams.length / 3 }, (_, row) =>
    ngrams.subarray(3 * row, 3 * row + 3).join(),
  );
}

test("each position counts one n-gram of each kind, with pads at the edges", () => {
  const counter = new NgramCounter();
  counter.add(Int32Array.of(5, 6, 5, 6));
  counter.add(Int32Array.of(5));
  counter.add(new Int32Array());
  assert.deepEqual(entries(counter.trigrams), {
    "0,5,0": 1,
    "0,5,6": 1,
    "5,6,0": 1,
    "5,6,5": 1,
    "6,5,6": 1,
  });
  assert.deepEqual(entries(counter.bigrams), { "0,5,6": 2, "0,6,5": 1, "5,6,0": 2, "6,5,0": 1 });
  assert.deepEqual(entries(counter.unigrams), { "0,5,0": 3, "0,6,0": 2 });
});

test("a vocabulary adds a uni-gram of every word, and none of the pad", () => {
  const counter = new NgramCounter();
  counter.add(Int32Array.of(2));
  counter.addVocabulary(4);
  assert.deepEqual(entries(counter.unigrams), { "0,1,0": 1, "0,2,0": 2, "0,3,0": 1 });
  assert.equal(counter.trigrams.size, 1);
});

test("the frequency rule takes the longest prefix within the share", () => {
  const counts = mapOf([
    [[0, 1, 2], 5],
    [[1, 2, 3], 3],
    [[2, 3, 4], 1],
    [[0, 9, 9], 1],
  ]);
  // Of 10 occurrences the prefixes cover 5, 8, 9 and 10; equal counts stand in order of n-grams.
  assert.deepEqual(rows(frequentNgrams(counts, 0)), []);
  assert.deepEqual(rows(frequentNgrams(counts, 0.49)), []);
  assert.deepEqual(rows(frequentNgrams(counts, 0.5)), ["0,1,2"]);
  assert.deepEqual(rows(frequentNgrams(counts, 0.79)), ["0,1,2"]);
  assert.deepEqual(rows(frequentNgrams(counts, 0.95)), ["0,1,2", "1,2,3", "0,9,9"]);
  assert.deepEqual(rows(frequentNgrams(counts, 1)), ["0,1,2", "1,2,3", "0,9,9", "2,3,4"]);
});

test("a rarer n-gram that would still fit does not overtake one that does not", () => {
  const counts = mapOf([
    [[0, 1, 2], 6],
    [[1, 2, 3], 4],
  ]);
  assert.deepEqual(rows(frequentNgrams(counts, 0.5)), []);
});

test("the frequency rule agrees with sorting, for any counts and share", () => {
  const row = fc.tuple(fc.nat(4), fc.nat(4), fc.nat(4));
  const counted = fc.uniqueArray(fc.tuple(row, fc.integer({ min: 1, max: 9 })), {
    selector: ([ngram]) => ngram.join(),
    size: "+1",
  });
  // Sixteenths, so that products with counts are exact.
  fc.assert(
    fc.property(counted, fc.nat(16), (counts, sixteenths) => {
      const share = sixteenths / 16;
      const total = counts.reduce((sum, [, count]) => sum + count, 0);
      const sorted = counts.toSorted(
        ([a, m], [b, n]) => n - m || a[0] - b[0] || a[1] - b[1] || a[2] - b[2],
      );
      const expected: string[] = [];
      let covered = 0;
      for (const [ngram, count] of sorted) {
        covered += count;
        if (covered > share * total) break;
        expected.push(ngram.join());
      }
      assert.deepEqual(rows(frequentNgrams(mapOf(counts), share)), expected);
    }),
  );
});

test("a table's n-grams are distinct: shorter ones first, then by frequency", () => {
  const counter = new NgramCounter();
  counter.add(Int32Array.of(5, 6));
  counter.add(Int32Array.of(5, 6));
  counter.add(Int32Array.of(7));
  const all = chooseNgrams(counter, { trigrams: 1, bigrams: 1, unigrams: 1 });
  assert.deepEqual(rows(all), ["0,5,0", "0,6,0", "0,7,0", "0,5,6", "5,6,0"]);
  // 2 + 2 + 1 occurrences of tri-grams, of which 80 % are 4.
  const domain = chooseNgrams(counter, { trigrams: 0.8, bigrams: 0, unigrams: 0 });
  assert.deepEqual(rows(domain), ["0,5,6", "5,6,0"]);
});
