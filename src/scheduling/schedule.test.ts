import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../foundation/random.ts";
import { schedule, startTag, virtualTimeAfter, virtualWork, type Waiting } from "./schedule.ts";

const lane = { key: "a" };
const limits = { tokensMax: 512, sequencesMax: 64 };

const queue = fc
  .array(
    fc.record({
      lane: fc.constantFrom({ key: "a" }, { key: "b" }, { key: "c" }),
      tokenCount: fc.integer({ min: 1, max: 256 }),
      workMs: fc.integer({ min: 1, max: 256 }),
      tag: fc.nat(),
      isReady: fc.boolean(),
    }),
  )
  .map((rows) => rows.toSorted((a, b) => a.tag - b.tag));

/** A sequence of ten tokens, each of which takes a millisecond. */
function waitingAt(tag: number): Waiting {
  return { lane, tokenCount: 10, workMs: 10, tag };
}

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

test("a batch is of one lane, that of the first in line, and of those that are ready", () => {
  fc.assert(
    fc.property(queue, (waiting) => {
      const ready = waiting.filter(({ isReady }) => isReady);
      const batch = schedule(waiting, limits, ({ isReady }) => isReady);
      assert.equal(batch[0], ready[0]);
      assert.ok(batch.every((sequence) => sequence.isReady));
      assert.ok(batch.every((sequence) => sequence.lane.key === ready[0]?.lane.key));
    }),
  );
});

test("what is not ready changes nothing for the others", () => {
  fc.assert(
    fc.property(queue, (waiting) => {
      const ready = waiting.filter(({ isReady }) => isReady);
      const batch = schedule(waiting, limits, ({ isReady }) => isReady);
      assert.deepEqual(batch, schedule(ready, limits));
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
        assert.ok(left[0] !== undefined && batch.has(left[0]));
        left = left.filter((sequence) => !batch.has(sequence));
        batchCount += 1;
      }
      assert.ok(batchCount <= waiting.length);
    }),
  );
});

test("sequences of the first one's length are taken before others that came earlier", () => {
  const of = (tokenCount: number, tag: number) => ({ ...waitingAt(tag), tokenCount });
  const waiting = [of(10, 0), of(250, 1), of(12, 2), of(9, 3)];
  const lengths = schedule(waiting, { tokensMax: 48, sequencesMax: 64 }).map((s) => s.tokenCount);
  assert.deepEqual(lengths, [10, 9, 12]);
});

test("a flow that sends in bulk does not hold up another one", () => {
  // Flow A queues 100 sequences of 10 tokens at once, then B sends one.
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

test("a busy flow keeps its share beside flows that come anew all the time", () => {
  // The busy one has 40 sequences; in each step 8 new flows send one each, and 8 sequences run.
  let virtualTime = 0;
  const busy = Array.from({ length: 40 }, (_, index) => waitingAt(10 * index));
  let queue: Waiting[] = [...busy];
  let stepCount = 0;
  while (queue.some((sequence) => busy.includes(sequence)) && stepCount < 1000) {
    for (let n = 0; n < 8; n++) queue.push(waitingAt(startTag(virtualTime, undefined)));
    queue.sort((a, b) => a.tag - b.tag);
    const batch = schedule(queue, { tokensMax: 80, sequencesMax: 8 });
    const newCount = queue.filter((sequence) => !busy.includes(sequence)).length;
    virtualTime = virtualTimeAfter(virtualTime, batch, newCount + 1);
    queue = queue.filter((sequence) => !batch.includes(sequence));
    stepCount += 1;
  }
  // About a ninth of the service at first, less as the others pile up.
  assert.ok(stepCount < 200, `${stepCount} steps`);
});

test("few who came later run before a sequence, whatever its length is", () => {
  const random = new SeededRandom(7);
  const waiting = Array.from({ length: 1_500 }, (_, tag) => ({
    ...waitingAt(tag),
    tokenCount: 32 + random.integer(193),
  }));
  let left: readonly Waiting[] = waiting;
  const ran: Waiting[] = [];
  let most = 0;
  // While the queue is long.
  while (left.length > 300) {
    const batch = schedule(left, limits);
    for (const { tag } of batch) most = Math.max(most, ran.filter((one) => one.tag > tag).length);
    ran.push(...batch);
    left = left.filter((sequence) => !batch.includes(sequence));
  }
  assert.ok(most <= 100, `${most} came later and ran earlier`);
});

test("virtual time passes slower the more weight waits, at least to the first one's tag", () => {
  const batch = [waitingAt(5), waitingAt(7)];
  // 20 ms of work, of which a flow of weight 1 among 4 has a share of 5 ms.
  assert.equal(virtualTimeAfter(3, batch, 4), 8);
  assert.equal(virtualTimeAfter(3, batch, 40), 5);
  assert.equal(virtualTimeAfter(3, [], 4), 3);
  assert.equal(virtualWork(10, 4), 2.5);
});
