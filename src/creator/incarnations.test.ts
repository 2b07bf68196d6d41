/** What tells models of one name apart, and versions of one model. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../entities/caller.ts";
import { digestOf } from "../foundation/digest.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Store } from "../storage/storage.ts";
import type { Creator } from "./creator.ts";
import { firstVersion, named, prepared, weightsOf } from "./exam-model.ts";

function examine(title: string, work: (store: Store, creator: Creator) => Promise<void>): void {
  test(title, async () => {
    const store = createMemoryStore();
    await work(store, await prepared(store));
  });
}

examine("what was meant for a deleted model never reaches its namesake", async (store, creator) => {
  const old = named("a");
  await creator.publish(operator, old, weightsOf(1));
  await creator.delete(operator, old);
  const fresh = await creator.create(operator, { id: "a", base: "base", labels: ["p", "q"] });
  assert.notEqual(fresh.incarnation, old.incarnation);
  const attempts = [
    () => creator.publish(operator, old, weightsOf(2)),
    () => creator.serve(operator, old, 1),
    () => creator.deleteVersion(operator, old, 1),
    () => creator.derive(operator, { source: old, ids: ["d"], noise: 0.1, seed: 1 }),
    () => creator.delete(operator, old),
  ];
  for (const attempt of attempts)
    await assert.rejects(attempt(), {
      code: "NOT_FOUND",
      message: /a later model has its name/,
    });
  assert.deepEqual(await store.catalog.of(operator).models.get("a"), fresh);
  assert.deepEqual(
    await store.catalog.of(operator).versions.list(fresh.incarnation, { limit: 100 }),
    [],
  );
});
examine("labels follow the version that is served", async (store, creator) => {
  await creator.publish(operator, named("a"), weightsOf(1));
  const more = {
    ...weightsOf(2),
    labels: ["x", "y", "z"],
    tensors: new Map([
      ["head.weight", { shape: [3, 4], values: new Float32Array(12).fill(1) }],
      ["head.bias", { shape: [3], values: new Float32Array(3) }],
    ]),
  };
  await creator.publish(operator, named("a"), { ...more, isServed: false });
  assert.deepEqual((await store.catalog.of(operator).models.get("a"))?.labels, ["x", "y"]);
  assert.deepEqual((await creator.serve(operator, named("a"), 2)).labels, ["x", "y", "z"]);
  await creator.publish(operator, named("a"), more);
  assert.deepEqual((await store.catalog.of(operator).models.get("a"))?.labels, ["x", "y", "z"]);
  assert.deepEqual((await creator.serve(operator, named("a"), 1)).labels, ["x", "y"]);
});
examine("a deleted version's number is not given again", async (store, creator) => {
  await creator.publish(operator, named("a"), weightsOf(1));
  const second = await creator.publish(operator, named("a"), weightsOf(2, false));
  await assert.rejects(creator.deleteVersion(operator, named("a"), 1), { code: "CONFLICT" });
  const message = 'Cannot find version 3 of "a": it has 1, 2';
  const missing = { code: "NOT_FOUND", field: "model", message };
  await assert.rejects(creator.deleteVersion(operator, named("a"), 3), missing);
  await assert.rejects(creator.serve(operator, named("a"), 3), missing);
  await creator.deleteVersion(operator, named("a"), 2);
  assert.equal(await store.blobs.has(second.blob), false);
  assert.equal((await creator.publish(operator, named("a"), weightsOf(3))).number, 3);
});
examine("a version replaces only the one that it was compared with", async (store, creator) => {
  await creator.publish(operator, named("a"), weightsOf(1));
  await creator.publish(operator, named("a"), weightsOf(2));
  const late = creator.publish(operator, named("a"), { ...weightsOf(3), replaces: 1 });
  await assert.rejects(late, { code: "CONFLICT" });
  assert.equal((await store.catalog.of(operator).models.get("a"))?.servedVersion, 2);
  await creator.publish(operator, named("a"), { ...weightsOf(3), replaces: 2 });
  assert.equal((await store.catalog.of(operator).models.get("a"))?.servedVersion, 3);
});
examine("evidence stays as long as a version names it", async (store, creator) => {
  const evidence = Buffer.from("rows");
  await creator.publish(operator, named("a"), { ...weightsOf(1), evidence });
  await creator.derive(operator, { source: named("a"), ids: ["d"], noise: 0.1, seed: 1 });
  await creator.delete(operator, named("a"));
  const derived = await firstVersion(store, "d");
  assert.equal(derived?.evidence, digestOf("rows"));
  assert.ok(await store.blobs.has(digestOf("rows")));
  const { incarnation } = (await store.catalog.of(operator).models.get("d")) ?? named("d");
  await creator.delete(operator, { id: "d", incarnation });
  assert.equal(await store.blobs.has(digestOf("rows")), false);
});
