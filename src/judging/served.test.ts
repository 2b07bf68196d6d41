import assert from "node:assert/strict";
import { test } from "node:test";
import { named, prepared, weightsOf } from "../creator/exam-model.ts";
import { operator } from "../entities/caller.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import { servedOf } from "./served.ts";

test("the served version is that of now, whatever it was when the model was found", async () => {
  const store = createMemoryStore();
  const creator = await prepared(store);
  const model = named("a");
  const reading = { caller: operator, store };
  assert.equal(await servedOf(reading, model), undefined);
  await creator.publish(operator, model, weightsOf(1));
  const found = await store.catalog.of(operator).models.get("a");
  assert.equal(found?.servedVersion, 1);
  await creator.publish(operator, model, weightsOf(5));
  await creator.deleteVersion(operator, model, 1);
  assert.equal((await servedOf(reading, found))?.version.number, 2);
  await creator.delete(operator, model);
  await assert.rejects(servedOf(reading, found), { code: "NOT_FOUND" });
});
