import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { admitToQueue, type Coming, type QueueSnapshot } from "./admission.ts";

const limits = { sequencesMax: 100, waitMsMax: 1_000, retryAfterMsMax: 5_000 };

const idle: QueueSnapshot = {
  waiting: [],
  coming: [],
  runningTokenCount: 0,
  virtualTime: 0,
  otherModelCount: 0,
  msPerToken: 1,
  promisedMs: 0,
};

function request(tokenCount: number, tag = 0, sequenceCount = 1): Coming {
  return { tag, tokenCount, sequenceCount };
}

/** The tags of a model's sequences of ten tokens each, one behind the other. */
function bulk(count: number) {
  return Array.from({ length: count }, (_, index) => ({ tokenCount: 10, tag: 10 * index }));
}

test("an idle queue takes any request, however long its own work is", () => {
  const admission = admitToQueue(request(300_000, 0, 100), idle, limits);
  assert.deepEqual(admission, { kind: "admitted", waitMs: 0, promisedMs: 0 });
});

test("a request waits for what runs, what is before it, and what comes before it", () => {
  const queue = {
    ...idle,
    waiting: [
      { tokenCount: 20, tag: 0 },
      { tokenCount: 30, tag: 4 },
      { tokenCount: 40, tag: 5 },
    ],
    // Of the second, two of 70 tokens come before this one's end at 5.
    coming: [request(50, 0), request(70, 3)],
    runningTokenCount: 100,
    msPerToken: 0.5,
  };
  const { waitMs } = admitToQueue(request(5), queue, limits);
  assert.equal(waitMs, 0.5 * (100 + 20 + 30 + 5 + 2));
});

test("a bulk is in nobody's way but its own model's", () => {
  const queue = { ...idle, waiting: bulk(90), msPerToken: 10 };
  // Nine seconds of work; another model's text runs behind the first ten tokens of it.
  const other = admitToQueue(request(10), { ...queue, otherModelCount: 1 }, limits);
  assert.deepEqual(other, { kind: "admitted", waitMs: 100, promisedMs: 0 });
  const same = admitToQueue(request(10, 900), queue, limits);
  assert.equal(same.kind, "rejected");
  assert.equal(same.waitMs, 9_000);
  // A second bulk would be held up by the first.
  assert.equal(admitToQueue(request(900), queue, limits).kind, "rejected");
});

test("a model whose turn is far ahead waits for as much of all others", () => {
  const waiting = [{ tokenCount: 1, tag: 0 }];
  const queue = { ...idle, waiting, virtualTime: 100, otherModelCount: 50 };
  assert.equal(admitToQueue(request(1, 110), queue, limits).waitMs, 501);
  assert.equal(admitToQueue(request(1, 130), queue, limits).kind, "rejected");
});

test("more sequences than the queue holds are rejected, those that come included", () => {
  const queue = { ...idle, waiting: bulk(40), coming: [request(1, 0, 50)], msPerToken: 0.1 };
  assert.equal(admitToQueue(request(1, 0, 10), queue, limits).kind, "admitted");
  const admission = admitToQueue(request(1, 0, 13), queue, limits);
  assert.ok(admission.kind === "rejected");
  assert.equal(admission.limit, "sequences");
  assert.equal(admission.sequenceCount, 90);
  // Three of ten tokens have to go.
  assert.equal(admission.retryAfterMs, 3);
});

test("who is rejected is told when there is room, each after the one before", () => {
  const queue = { ...idle, runningTokenCount: 1_400 };
  const first = admitToQueue(request(50), queue, limits);
  assert.ok(first.kind === "rejected");
  assert.equal(first.retryAfterMs, 400);
  const second = admitToQueue(request(50), { ...queue, promisedMs: first.promisedMs }, limits);
  assert.ok(second.kind === "rejected");
  assert.equal(second.retryAfterMs, 450);
  // At that time the queue has drained, and the promise is over.
  const drained = { ...idle, runningTokenCount: 1_400 - first.retryAfterMs };
  assert.equal(admitToQueue(request(50), drained, limits).kind, "admitted");
});

test("promises end when the queue shows that nobody has come back", () => {
  const short = { ...idle, runningTokenCount: 499, promisedMs: 3_000 };
  assert.equal(admitToQueue(request(1), short, limits).promisedMs, 0);
  const long = { ...idle, runningTokenCount: 501, promisedMs: 3_000 };
  assert.equal(admitToQueue(request(1), long, limits).promisedMs, 3_000);
});

test("a time to come back is at least a millisecond and never beyond its limit", () => {
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.integer({ min: 1, max: 300_000 }),
      (runningTokenCount, promisedMs, tokenCount) => {
        const queue = { ...idle, runningTokenCount, promisedMs };
        const admission = admitToQueue(request(tokenCount), queue, limits);
        assert.equal(admission.kind, runningTokenCount <= 1_000 ? "admitted" : "rejected");
        if (admission.kind === "admitted") return;
        assert.ok(admission.retryAfterMs >= 1);
        assert.ok(admission.retryAfterMs <= limits.retryAfterMsMax);
      },
    ),
  );
});
