/** Checks the order and the bounds of shared work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "../../foundation/gate.ts";
import { SharedRuns } from "./concurrency.ts";

test("a gate lets as many through as it says, in order, failures included", async () => {
  const gate = new Gate(2);
  const started: number[] = [];
  let running = 0;
  const work = async (index: number): Promise<void> => {
    started.push(index);
    running += 1;
    assert.ok(running <= 2);
    await new Promise(setImmediate);
    running -= 1;
    if (index % 3 === 0) throw new Error("one of three");
  };
  const indices = [0, 1, 2, 3, 4, 5, 6];
  const results = await Promise.allSettled(indices.map((index) => gate.run(() => work(index))));
  assert.deepEqual(started, indices);
  assert.equal(results.filter(({ status }) => status === "rejected").length, 3);
});

test("who calls during a run is served by the next one, which all share", async () => {
  const finish: (() => void)[] = [];
  const runs = new SharedRuns(() => new Promise((resolve) => finish.push(resolve)));
  const first = runs.run("a");
  const late = [runs.run("a"), runs.run("a"), runs.run("a")];
  assert.equal(finish.length, 1);
  const other = runs.run("b");
  assert.equal(finish.length, 2);
  finish[1]?.();
  await other;
  finish[0]?.();
  await first;
  await new Promise(setImmediate);
  assert.equal(finish.length, 3);
  finish[2]?.();
  await Promise.all(late);
});

test("a run that fails fails its callers only", async () => {
  let count = 0;
  const runs = new SharedRuns(async () => {
    count += 1;
    await new Promise(setImmediate);
    if (count === 1) throw new Error("first");
  });
  const first = runs.run("a");
  const second = runs.run("a");
  await assert.rejects(first, /first/);
  await second;
  assert.equal(count, 2);
});
