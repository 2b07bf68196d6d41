import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { schedule, startTag, type Waiting } from "./schedule.ts";

const limits = { tokensMax: 512, sequencesMax: 64 };

const queue = fc
  .array(fc.record({ tokenCount: fc.integer({ min: 1, max: 256 }), tag: fc.nat() }))
  .map((rows) => rows.toSorted((a, b) => a.tag - b.tag));

test("a batch holds the first in line, no sequence twice, and keeps both limits", () => {
  fc.assert(
    fc.property(queue, (waiting) => {
      const batch = schedule(waiting, limits);
      if (waiting.length === 0) return assert.equal(batch.length, 0);
      assert.equal(batch[0], waiting[0]);
      assert.equal(new Set(batch).size, batch.length);
      assert.ok(batch.every((sequence) => waiting.includes(sequence)));
      assert.ok(batch.length <= limits.sequencesMax);
      const longest = Math.max(...batch.map(({ tokenCount }) => tokenCount));
      assert.ok(longest * batch.length <= limits.tokensMax);
    }),
  );
});

test("every sequence runs after at most as many batches as there were sequences before it", () => {
  fc.assert(
    fc.property(queue, (waiting) => {
      let left: readonly Waiting[] = waiting;
      let batchCount = 0;
      while (left.length > 0) {
        const batch = new Set(schedule(left, limits));
        assert.ok(batch.has(left[0] ?? { tokenCount: 0, tag: 0 }));
        left = left.filter((sequence) => !batch.has(sequence));
        batchCount += 1;
      }
      assert.ok(batchCount <= waiting.length);
    }),
  );
});

test("sequences of the head's length are taken before others that came earlier", () => {
  const of = (tokenCount: number, tag: number): Waiting => ({ tokenCount, tag });
  const waiting = [of(10, 0), of(250, 1), of(12, 2), of(9, 3)];
  const lengths = schedule(waiting, { tokensMax: 48, sequencesMax: 64 }).map((s) => s.tokenCount);
  assert.deepEqual(lengths, [10, 9, 12]);
});

test("a model that sends in bulk does not hold up another one", () => {
  // Model A queues 100 sequences of 10 tokens at once, then B sends one.
  const tags: number[] = [];
  let finish = 0;
  for (let n = 0; n < 100; n++) {
    const tag = startTag(0, finish);
    tags.push(tag);
    finish = tag + 10;
  }
  const tagOfB = startTag(0, undefined);
  assert.equal(tags.filter((tag) => tag < tagOfB).length, 0);
  assert.equal(tags.filter((tag) => tag <= tagOfB).length, 1);
});
