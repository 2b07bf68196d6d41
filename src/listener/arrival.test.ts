/** Checks that what does not arrive is given up, and that what arrives slowly is waited for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../foundation/clock.ts";
import { limits } from "../foundation/limits.ts";
import { Arrival } from "./arrival.ts";
import { BodyBudget, Intake, ownOrigin } from "./intake.ts";

/** A clock that stands until it is moved. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #due = new Map<() => void, number>();

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  schedule(delayMs: number, callback: () => void): () => void {
    this.#due.set(callback, this.#nowMs + delayMs);
    return () => this.#due.delete(callback);
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    for (const [callback, dueMs] of [...this.#due])
      if (dueMs <= this.#nowMs && this.#due.delete(callback)) callback();
  }
}

const never = new Promise<never>(() => {});

test("a sender that pauses is given up, one that goes on is not", async () => {
  const clock = new HandClock();
  let received = 0;
  const waiting = new Arrival(clock, { peer: "", receivedBytes: () => received }).wait(never);
  for (let round = 0; round < 5; round++) {
    received += limits.receiveBytesPerSecondMin * (limits.receiveIdleMsMax / 1000);
    clock.advance(limits.receiveIdleMsMax);
  }
  const state = await Promise.race([waiting.catch(() => "given up"), Promise.resolve("waiting")]);
  assert.equal(state, "waiting");
  clock.advance(limits.receiveIdleMsMax);
  await assert.rejects(waiting, { code: "TOO_SLOW", message: /nothing arrived for 10000 ms/ });
});

test("a sender that trickles is given up when it is behind the slowest rate", async () => {
  const clock = new HandClock();
  let received = 0;
  const waiting = new Arrival(clock, { peer: "", receivedBytes: () => received }).wait(never);
  received += 1;
  clock.advance(limits.receiveIdleMsMax);
  received += 1;
  clock.advance(limits.receiveIdleMsMax);
  await assert.rejects(waiting, { code: "TOO_SLOW", message: /expected 16384 bytes a second/ });
});

test("chunks in small steps are counted together", async () => {
  const clock = new HandClock();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      clock.advance(limits.receiveIdleMsMax - 1);
      controller.enqueue(new Uint8Array(1));
    },
  });
  const read = async (): Promise<void> => {
    for await (const _ of new Arrival(clock, ownOrigin).chunks(body));
  };
  await assert.rejects(read(), { code: "TOO_SLOW" });
});

test("bodies share their memory: of one peer, and of all", () => {
  const budget = new BodyBudget();
  const clock = new HandClock();
  const { requestBodyBytesMax: large, heldBodyBytesMax, peerHeldBodyBytesMax } = limits;
  const intakeOf = (peer: string): Intake =>
    new Intake(budget, clock, { peer, receivedBytes: () => 0 });
  const first = intakeOf("a");
  first.holdUpTo(large);
  // Growing holds the difference only.
  first.holdUpTo(large);
  for (let held = large; held < peerHeldBodyBytesMax; held += large) intakeOf("a").holdUpTo(large);
  assert.throws(() => intakeOf("a").holdUpTo(large), { code: "OVERLOADED", retryAfterMs: 1000 });
  intakeOf("a").holdUpTo(limits.smallBodyBytesMax);
  for (let held = peerHeldBodyBytesMax; held < heldBodyBytesMax; held += large)
    intakeOf("b").holdUpTo(large);
  assert.throws(() => intakeOf("c").holdUpTo(large), { code: "OVERLOADED" });
  first.release();
  first.release();
  intakeOf("c").holdUpTo(large);
  assert.throws(() => intakeOf("c").holdUpTo(large), { code: "OVERLOADED" });
});
