import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Flow } from "./flow.ts";
import { admitToQueue, type Coming, type QueueSnapshot } from "./admission.ts";
import type { Waiting } from "./schedule.ts";

const limits = { sequencesMax: 100, foreseenShare: 0.5, retryAfterMsMax: 5_000 };
/** It is admitted if it is foreseen to wait for at most a second. */
const flow: Flow = { id: "a", weight: 1, deadlineMs: 2_000 };
const lane = { key: "a" };

const idle: QueueSnapshot = {
  waiting: [],
  coming: [],
  runningMs: 0,
  virtualTime: 0,
  otherWeight: 0,
  workerCount: 1,
  promisedMs: 0,
};

function request(workMs: number, tag = 0, sequenceCount = 1): Coming {
  return { flow, tag, workMs, sequenceCount };
}

function waitingAt(tag: number, workMs: number): Waiting {
  return { lane, tokenCount: 1, workMs, tag };
}

/** A flow's sequences of ten milliseconds each, one behind the other. */
function bulk(count: number): readonly Waiting[] {
  return Array.from({ length: count }, (_, index) => waitingAt(10 * index, 10));
}

test("an idle queue takes any request, however long its own work is", () => {
  const admission = admitToQueue(request(300_000, 0, 100), idle, limits);
  assert.deepEqual(admission, { kind: "admitted", waitMs: 0, finishMs: 300_000, promisedMs: 0 });
});

test("a request waits for what runs, what is before it, and what comes before it", () => {
  const queue = {
    ...idle,
    waiting: [waitingAt(0, 20), waitingAt(4, 30), waitingAt(5, 40)],
    // Of the second, two of 70 milliseconds come before this one's end at 5.
    coming: [request(50, 0), request(70, 3)],
    runningMs: 100,
    workerCount: 2,
  };
  const { waitMs, finishMs } = admitToQueue(request(5), queue, limits);
  assert.equal(waitMs, (100 + 20 + 30 + 5 + 2) / 2);
  assert.equal(finishMs, waitMs + 2.5);
});

test("a bulk is in nobody's way but its own flow's", () => {
  const waiting = Array.from({ length: 90 }, (_, index) => waitingAt(100 * index, 100));
  const queue = { ...idle, waiting };
  // Nine seconds of work; another flow's text runs behind the first tenth of a second of it.
  const other = admitToQueue(request(100), { ...queue, otherWeight: 1 }, limits);
  assert.deepEqual(other, { kind: "admitted", waitMs: 100, finishMs: 200, promisedMs: 0 });
  const same = admitToQueue(request(100, 9_000), queue, limits);
  assert.equal(same.kind, "rejected");
  assert.equal(same.waitMs, 9_000);
  // A second bulk would be held up by the first.
  assert.equal(admitToQueue(request(9_000), queue, limits).kind, "rejected");
});

test("a flow whose turn is far ahead waits for the others' shares", () => {
  const waiting = [waitingAt(0, 1)];
  const queue = { ...idle, waiting, virtualTime: 100, otherWeight: 50 };
  assert.equal(admitToQueue(request(1, 110), queue, limits).waitMs, 501);
  assert.equal(admitToQueue(request(1, 130), queue, limits).kind, "rejected");
});

test("more sequences than the queue holds are rejected, those that come included", () => {
  const queue = { ...idle, waiting: bulk(40), coming: [request(1, 0, 50)], workerCount: 10 };
  assert.equal(admitToQueue(request(1, 0, 10), queue, limits).kind, "admitted");
  const admission = admitToQueue(request(1, 0, 13), queue, limits);
  assert.ok(admission.kind === "rejected");
  assert.equal(admission.limit, "sequences");
  assert.equal(admission.sequenceCount, 90);
  // Three of ten milliseconds have to go, which ten workers share.
  assert.equal(admission.retryAfterMs, 3);
});

test("who is rejected is told when there is room, each after the one before", () => {
  const queue = { ...idle, runningMs: 1_400 };
  const first = admitToQueue(request(50), queue, limits);
  assert.ok(first.kind === "rejected");
  assert.equal(first.retryAfterMs, 400);
  const second = admitToQueue(request(50), { ...queue, promisedMs: first.promisedMs }, limits);
  assert.ok(second.kind === "rejected");
  assert.equal(second.retryAfterMs, 450);
  // At that time the queue has drained, and the promise is over.
  const drained = { ...idle, runningMs: 1_400 - first.retryAfterMs };
  assert.equal(admitToQueue(request(50), drained, limits).kind, "admitted");
});

test("promises end when the queue shows that nobody has come back", () => {
  const short = { ...idle, runningMs: 499, promisedMs: 3_000 };
  assert.equal(admitToQueue(request(1), short, limits).promisedMs, 0);
  const long = { ...idle, runningMs: 501, promisedMs: 3_000 };
  assert.equal(admitToQueue(request(1), long, limits).promisedMs, 3_000);
});

test("a time to come back is at least a millisecond and never beyond its limit", () => {
  fc.assert(
    fc.property(
      fc.nat(1e6),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.integer({ min: 1, max: 300_000 }),
      (runningMs, promisedMs, workMs) => {
        const queue = { ...idle, runningMs, promisedMs };
        const admission = admitToQueue(request(workMs), queue, limits);
        assert.equal(admission.kind, runningMs <= 1_000 ? "admitted" : "rejected");
        if (admission.kind === "admitted") return;
        assert.ok(admission.retryAfterMs >= 1);
        assert.ok(admission.retryAfterMs <= limits.retryAfterMsMax);
      },
    ),
  );
});

test("a flow is held to its own deadline, and waits less the more it weighs", () => {
  const waiting = bulk(90);
  const patient = { ...request(100), flow: { ...flow, deadlineMs: 2_000 } };
  const hurried = { ...request(100), flow: { ...flow, deadlineMs: 100 } };
  // Of the bulk, 100 ms come before its end.
  const queue = { ...idle, waiting, otherWeight: 1 };
  assert.equal(admitToQueue(patient, queue, limits).kind, "admitted");
  const rejection = admitToQueue(hurried, queue, limits);
  assert.ok(rejection.kind === "rejected");
  assert.equal(rejection.limit, "deadline");
  assert.equal(rejection.waitMs, 100);
  assert.equal(rejection.retryAfterMs, 100);
  // With ten times the weight its hundred milliseconds end at 10, behind one of the bulk.
  const heavy = { ...hurried, flow: { ...hurried.flow, weight: 10 } };
  assert.equal(admitToQueue(heavy, queue, limits).waitMs, 10);
  assert.equal(admitToQueue(heavy, queue, limits).kind, "admitted");
});
