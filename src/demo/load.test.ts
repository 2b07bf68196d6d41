import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { SeededRandom } from "../foundation/random.ts";
import { applyLoad, quantile, zipf } from "./load.ts";

test("Zipf's law: the first of three ranks is drawn 6/11 of the time, the last 2/11", () => {
  const draw = zipf(3, new SeededRandom(1));
  const counts = [0, 0, 0];
  for (let index = 0; index < 11_000; index++) {
    const rank = draw();
    counts[rank] = (counts[rank] ?? 0) + 1;
  }
  for (const [rank, expected] of [6000, 3000, 2000].entries())
    assert.ok(Math.abs((counts[rank] ?? 0) - expected) < 200, `rank ${rank}: ${counts.join()}`);
});

test("quantiles are values that occurred", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(quantile(values, 0.5), 50);
  assert.equal(quantile(values, 0.99), 99);
  assert.equal(quantile([7], 0.99), 7);
  assert.equal(quantile([], 0.5), 0);
});

test("two clients whose requests take 10 ms send 20 requests in 100 ms", async () => {
  let now = 0;
  let waiting: (() => void)[] = [];
  const clock: Clock = { now: () => now, monotonic: () => now, schedule: () => () => undefined };
  const send = (): Promise<number> =>
    new Promise((resolve) => {
      waiting.push(() => resolve(3));
      if (waiting.length < 2) return;
      // Both clients wait: time goes on.
      now += 10;
      const answered = waiting;
      waiting = [];
      for (const answer of answered) answer();
    });
  const { signal } = new AbortController();
  const report = await applyLoad({
    clientCount: 2,
    durationMs: 100,
    clock,
    signal,
    send,
    onProgress: () => undefined,
  });
  assert.deepEqual(report, {
    requestCount: 20,
    sequenceCount: 60,
    sequencesPerSecond: 600,
    p50Ms: 10,
    p99Ms: 10,
    refusalCount: 0,
  });
});

test("a client that is told to come back does so, after the time that it was given", async () => {
  let now = 0;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    schedule: (delayMs, callback) => {
      queueMicrotask(() => {
        now += delayMs;
        callback();
      });
      return () => undefined;
    },
  };
  let callCount = 0;
  const send = async (): Promise<number> => {
    callCount += 1;
    if (callCount === 1) throw new StrataError("OVERLOADED", "Cannot queue", { retryAfterMs: 70 });
    now += 50;
    return 1;
  };
  const { signal } = new AbortController();
  const load = { clientCount: 1, durationMs: 100, clock, signal, send, onProgress: () => {} };
  const report = await applyLoad(load);
  assert.equal(report.refusalCount, 1);
  assert.equal(report.requestCount, 1);
  assert.equal(report.p50Ms, 120);
});
