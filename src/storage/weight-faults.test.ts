import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../entities/caller.ts";
import { plainVersion } from "../entities/exam-version.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { limits } from "../foundation/limits.ts";
import { createMemoryStore } from "./memory/memory-store.ts";
import type { StoreDriver } from "./storage.ts";
import { WeightFaults } from "./weight-faults.ts";

/** A store of so many models, each with a version of its own weights. */
async function storeOf(
  count: number,
): Promise<{ readonly store: StoreDriver; readonly models: readonly VirtualModel[] }> {
  const store = createMemoryStore();
  const rows: { readonly model: VirtualModel; readonly version: Version }[] = [];
  for (let index = 0; index < count; index++) {
    const blob = await store.blobs.put(Buffer.from(`weights ${index}`));
    const shared = { task: "text-classification", labels: ["a", "b"], createdAt: 0 } as const;
    const incarnation = `vplm-${index}` as const;
    const id = `m${index}`;
    const counted = { base: "tiny", servedVersion: 1, versionCount: 1 };
    const version = { ...plainVersion(incarnation, 1), ...shared, blob, blobBytes: 10 };
    rows.push({
      model: { ...shared, ...counted, id, incarnation },
      version,
    });
  }
  await store.catalog.of(operator).versions.insertWithModels(rows);
  return { store, models: rows.map(({ model }) => model) };
}

test("weights that were found whole are not read again, until they are stored anew", async (t) => {
  const { store, models } = await storeOf(1);
  const [model = assert.fail("there is one")] = models;
  const streams = t.mock.method(store.blobs, "stream");
  const faults = new WeightFaults(store);
  const asked = Array.from({ length: 20 }, () => faults.ofServed(operator, model));
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([null]));
  assert.equal(await faults.ofServed(operator, model), null);
  assert.equal(streams.mock.callCount(), 1);
  const { blob } = (await store.catalog.of(operator).versions.get(model.incarnation, 1)) ?? {};
  assert.ok(blob !== undefined);
  await store.blobs.remove(blob);
  assert.match((await faults.ofServed(operator, model)) ?? "", /there is none$/);
});

test("weights that a later version has replaced are no fault of the model", async (t) => {
  const { store, models } = await storeOf(1);
  const [model = assert.fail("there is one")] = models;
  const { versions } = store.catalog.of(operator);
  const first = await versions.get(model.incarnation, 1);
  assert.ok(first !== undefined);
  const stream = store.blobs.stream.bind(store.blobs);
  const blob = await store.blobs.put(Buffer.from("later weights"));
  t.mock.method(store.blobs, "stream", async function* (digest: typeof blob) {
    if (digest === first.blob) {
      await versions.insert({ ...first, number: 2, blob }, { isServed: true });
      await versions.delete(model.incarnation, 1);
      await store.blobs.remove(first.blob);
    }
    yield* stream(digest);
  });
  assert.equal(await new WeightFaults(store).ofServed(operator, model), null);
});

test("a list looks up no version for a fault, and few weights are read at once", async (t) => {
  const { store, models } = await storeOf(200);
  const { versions } = store.catalog.of(operator);
  const hit = await versions.get("vplm-7", 1);
  assert.ok(hit !== undefined);
  await store.blobs.remove(hit.blob);
  await assert.rejects(store.blobs.get(hit.blob), { code: "CORRUPT" });
  const faults = new WeightFaults(store);
  const prototype = Object.getPrototypeOf(versions) as typeof versions; // its own class
  const gets = t.mock.method(prototype, "get");
  const faultOf = await faults.known(operator);
  const found = models.filter((model) => faultOf(model) !== null);
  assert.deepEqual(
    found.map(({ id }) => id),
    ["m7"],
  );
  assert.equal(gets.mock.callCount(), 0);
  let [running, most] = [0, 0];
  const stream = store.blobs.stream.bind(store.blobs);
  t.mock.method(store.blobs, "stream", async function* (digest: typeof hit.blob) {
    running += 1;
    most = Math.max(most, running);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    yield* stream(digest);
    running -= 1;
  });
  await Promise.all(models.slice(10, 60).map((model) => faults.ofServed(operator, model)));
  assert.equal(most, limits.weightCheckCountMax);
});

test("of a page of versions those of the page alone are read", async (t) => {
  const { store } = await storeOf(3);
  const { versions } = store.catalog.of(operator);
  const rows: (Version | undefined)[] = [];
  for (let index = 0; index < 3; index++) rows.push(await versions.get(`vplm-${index}`, 1));
  const streams = t.mock.method(store.blobs, "stream");
  async function* all(): AsyncGenerator<Version, void, undefined> {
    for (const row of rows) if (row !== undefined) yield row;
  }
  for await (const { fault } of new WeightFaults(store).ofEach(all(), 2)) assert.equal(fault, null);
  assert.equal(streams.mock.callCount(), 2);
});
