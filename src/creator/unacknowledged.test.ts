/** Changes that are committed though they fail, and models that go between two looks at them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../entities/caller.ts";
import { systemClock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { systemIds } from "../foundation/random.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Store, Table, TenantCatalog } from "../storage/storage.ts";
import type { VirtualModel } from "../entities/virtual-model.ts";
import { named, prepared, weightsOf } from "./exam-model.ts";
import { createCreator } from "./store-creator.ts";

/** The store with some of a tenant's tables replaced. */
function withTables(store: Store, change: (own: TenantCatalog) => Partial<TenantCatalog>): Store {
  const { catalog } = store;
  const of: typeof catalog.of = (owner) => {
    const own = catalog.of(owner);
    return { ...own, ...change(own) };
  };
  return { ...store, catalog: { ...catalog, of } };
}

test("who remembers a model hears of a deletion that was committed and then failed", async () => {
  const store = createMemoryStore();
  await (await prepared(store)).publish(operator, named("a"), weightsOf(1));
  // As on a full disk, where the mark of the catalog cannot be written.
  const failing = withTables(store, ({ models }) => ({
    models: {
      insert: (row) => models.insert(row),
      get: (id) => models.get(id),
      update: (row) => models.update(row),
      list: (options) => models.list(options),
      count: () => models.count(),
      async delete(id) {
        await models.delete(id);
        throw new StrataError("UNAVAILABLE", "Cannot delete: the disk is full");
      },
    } satisfies Table<VirtualModel>,
  }));
  const changed: string[] = [];
  const creator = createCreator({
    store: failing,
    clock: systemClock,
    ids: systemIds,
    onChange: (_, model) => void changed.push(model),
  });
  await assert.rejects(creator.delete(operator, named("a")), { code: "UNAVAILABLE" });
  assert.deepEqual(changed, ["a"]);
});

test("a derivation whose source goes while it is read finds none", async () => {
  const store = createMemoryStore();
  const sound = await prepared(store);
  await sound.publish(operator, named("a"), weightsOf(1));
  const racing = withTables(store, ({ versions }) => ({
    versions: {
      insert: (version, options) => versions.insert(version, options),
      insertWithModels: (rows) => versions.insertWithModels(rows),
      naming: (blob) => versions.naming(blob),
      list: (model, page) => versions.list(model, page),
      delete: (model, number) => versions.delete(model, number),
      async get(model, number) {
        await sound.delete(operator, named("a"));
        return versions.get(model, number);
      },
    },
  }));
  const creator = createCreator({ store: racing, clock: systemClock, ids: systemIds });
  const derivation = { source: named("a"), ids: ["d"], noise: 0.1, seed: 1 };
  await assert.rejects(creator.derive(operator, derivation), { code: "NOT_FOUND" });
});
