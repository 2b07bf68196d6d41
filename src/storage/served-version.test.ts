import assert from "node:assert/strict";
import { it } from "node:test";
import { operator } from "../entities/caller.ts";
import { exampleModel } from "./conformance.ts";
import { createMemoryStore } from "./memory/memory-store.ts";
import { servedVersion } from "./served-version.ts";

it("names a model whose served version is missing as damaged", async () => {
  const { catalog } = createMemoryStore();
  const { models, versions } = catalog.of(operator);
  const model = { ...exampleModel("m"), servedVersion: 3 };
  await models.insert(model);
  await assert.rejects(servedVersion({ models, versions }, model), {
    code: "CORRUPT",
    message: `Cannot read model "${model.id}": its version 3 is missing`,
  });
});
