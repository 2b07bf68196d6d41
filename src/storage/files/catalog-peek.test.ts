import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { exampleBase } from "../../entities/exam-base.ts";
import { peekCatalog } from "./catalog-peek.ts";
import { openFileStore } from "./file-store.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-peek-"));
});
after(() => rm(folder, { recursive: true }));

const base = exampleBase("tiny");

it("sees nothing where there is no store, and makes none", async () => {
  assert.equal(
    peekCatalog(folder, () => true),
    undefined,
  );
  assert.deepEqual(await readdir(folder), []);
});

it("sees what a store holds, while it is open and after it was closed", async () => {
  const store = await openFileStore(folder);
  await store.catalog.bases.insert(base);
  const look = () =>
    peekCatalog(folder, (peek) => [
      peek.digestOf("tiny"),
      peek.digestOf("other"),
      peek.hasModel("tiny"),
      peek.modelOn("tiny"),
    ]);
  assert.deepEqual(look(), [base.digest, undefined, false, undefined]);
  await store.close();
  assert.deepEqual(look(), [base.digest, undefined, false, undefined]);
  // The lock was not touched.
  await (await openFileStore(folder)).close();
});
