import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  highLane,
  lowLane,
  NgramMap,
  ngramsInOrder,
  numberNgrams,
  packNgram,
  unpackNgram,
} from "./ngram-map.ts";

const idMax = 2 ** 21 - 1;
const id = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: idMax }), fc.constant(idMax));
const ngram = fc.tuple(id, id, id);

test("an n-gram is unpacked as it was packed, whatever its ids", () => {
  fc.assert(
    fc.property(ngram, (ids) => {
      const unpacked = new Int32Array(5);
      unpackNgram(packNgram(Int32Array.of(9, ...ids), 1), unpacked, 2);
      assert.deepEqual([...unpacked], [0, 0, ...ids]);
    }),
  );
});

test("a map counts and keeps like a plain Map, however it grows", () => {
  const step = fc.record({ ids: ngram, value: fc.option(fc.integer({ min: 1, max: 1e9 })) });
  fc.assert(
    fc.property(fc.array(step, { size: "+2" }), (steps) => {
      const map = new NgramMap();
      const plain = new Map<string, number>();
      for (const { ids, value } of steps) {
        const [left, middle, right] = ids;
        const [high, low] = [highLane(left, middle), lowLane(middle, right)];
        const before = plain.get(ids.join()) ?? 0;
        assert.equal(map.get(high, low), before);
        if (value === null) map.increment(high, low);
        else map.set(high, low, value);
        plain.set(ids.join(), value ?? before + 1);
      }
      const visited = new Map<string, number>();
      map.forEach((high, low, value) => {
        const unpacked = new Int32Array(3);
        unpackNgram({ high, low }, unpacked, 0);
        visited.set(unpacked.join(), value);
      });
      assert.deepEqual(visited, plain);
      assert.equal(map.size, plain.size);
    }),
  );
});

test("n-grams of one hash are told apart by their whole key", () => {
  // 200,000 keys of neighbouring ids: of 32-bit hashes alone about five would be equal.
  const ngrams = new Int32Array(3 * 200_000);
  for (let index = 0; index < 200_000; index++)
    ngrams.set([index % 47, 1 + (index % 101), index], 3 * index);
  const map = numberNgrams(ngrams);
  assert.equal(map.size, 200_000);
  assert.deepEqual(ngramsInOrder(map), ngrams);
  assert.equal(map.get(highLane(46, 1), lowLane(1, 0)), 0);
});

test("n-grams come back in the order of their numbers", () => {
  const ngrams = Int32Array.of(7, 8, 9, 0, 8, 9, 0, 8, 0, idMax, idMax, idMax);
  assert.deepEqual(ngramsInOrder(numberNgrams(ngrams)), ngrams);
});

test("another thread's map reads the same memory", () => {
  const map = new NgramMap(2);
  map.set(highLane(1, 2), lowLane(2, 3), 5);
  // A message to a thread is copied in this way.
  const other = new NgramMap(structuredClone({ cells: map.cells, size: map.size }));
  map.set(highLane(1, 2), lowLane(2, 3), 6);
  assert.equal(other.get(highLane(1, 2), lowLane(2, 3)), 6);
  assert.equal(other.get(highLane(3, 2), lowLane(2, 1)), 0);
  assert.equal(other.size, 1);
});
