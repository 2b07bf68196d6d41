/** Checks the order of shared work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedRuns } from "./concurrency.ts";

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
