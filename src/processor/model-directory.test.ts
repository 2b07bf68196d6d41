import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type Caller, operator } from "../entities/caller.ts";
import { plainVersion } from "../entities/exam-version.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { StrataError } from "../foundation/errors.ts";
import { ann } from "../storage/exam-tenants.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { Store } from "../storage/storage.ts";
import { ModelDirectory } from "./model-directory.ts";

const model: VirtualModel = {
  id: "mail",
  incarnation: "vplm-mail",
  base: "small",
  task: "text-classification",
  labels: ["ham", "spam"],
  servedVersion: undefined,
  versionCount: 0,
  createdAt: 0,
};

const versionOf = (number: number): Version => plainVersion(model.incarnation, number);

let store: Store;
let directory: ModelDirectory;

before(async () => {
  store = createMemoryStore();
  directory = new ModelDirectory(store.catalog);
  await store.catalog.of(operator).models.insert(model);
});

async function numberOf(name: string): Promise<number> {
  const resolved = await directory.resolve(operator, name);
  assert.equal(resolved.kind, "version");
  return resolved.kind === "version" ? resolved.version.number : 0;
}

async function rejects(name: string, code: string, who = operator): Promise<void> {
  await assert.rejects(
    directory.resolve(who, name),
    (error) => error instanceof StrataError && error.code === code && error.field === "model",
  );
}

describe("the model directory", () => {
  it("knows no model that is not there, nor one without a version", async () => {
    for (const name of ["unknown", "mail@1", "@1", "", "mail@", "mail@0", "mail@-1", "mail@01"])
      await rejects(name, "NOT_FOUND");
    await rejects("mail", "CONFLICT");
  });

  it("finds the served version, and any by its number", async () => {
    await store.catalog.of(operator).versions.insert(versionOf(1), { isServed: true });
    await store.catalog.of(operator).versions.insert(versionOf(2), { isServed: false });
    directory.forget(operator.tenant, "mail");
    assert.equal(await numberOf("mail"), 1);
    assert.equal(await numberOf("mail@2"), 2);
    await rejects("mail@3", "NOT_FOUND");
    const message = 'Cannot find version 3 of "mail": it has 1, 2';
    await assert.rejects(directory.resolve(operator, "mail@3"), { message });
  });

  it("finds the version that is served by then, when the first one has gone", async (t) => {
    const { models } = store.catalog.of(operator);
    const get = models.get.bind(models);
    await models.update({ ...model, servedVersion: 2 });
    const rows: VirtualModel[] = [{ ...model, servedVersion: 9 }];
    t.mock.method(models, "get", async (id: string) => rows.shift() ?? get(id));
    directory.forget(operator.tenant, "mail");
    assert.equal(await numberOf("mail"), 2);
  });

  it("sees a moved alias as soon as it is told, however far another look-up has come", async () => {
    // A look-up takes a few turns of the event loop; the change falls between any two of them.
    for (let turns = 0; turns < 12; turns++) {
      const [from, to] = turns % 2 === 0 ? [1, 2] : [2, 1];
      await store.catalog.of(operator).models.update({ ...model, servedVersion: from });
      directory.forget(operator.tenant, "mail");
      const early = directory.resolve(operator, "mail");
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      await store.catalog.of(operator).models.update({ ...model, servedVersion: to });
      directory.forget(operator.tenant, "mail");
      await early;
      assert.equal(await numberOf("mail"), to, `changed after ${turns} turns`);
    }
  });

  it("finds by one name what each tenant has, and forgets it for that one alone", async () => {
    const own = store.catalog.of(ann);
    await rejects("mail", "NOT_FOUND", ann);
    await own.models.insert({ ...model, labels: ["x", "y"] });
    await own.versions.insert({ ...versionOf(1), labels: ["x", "y"] }, { isServed: true });
    const labelsFor = async (who: Caller): Promise<readonly string[]> => {
      const resolved = await directory.resolve(who, "mail@1");
      return resolved.kind === "version" ? resolved.version.labels : [];
    };
    for (let round = 0; round < 2; round++)
      assert.deepEqual(
        [await labelsFor(operator), await labelsFor(ann)],
        [
          ["ham", "spam"],
          ["x", "y"],
        ],
      );
    await own.models.delete("mail");
    directory.forget(operator.tenant, "mail");
    assert.deepEqual(await labelsFor(ann), ["x", "y"]);
    directory.forget(ann.tenant, "mail");
    await rejects("mail", "NOT_FOUND", ann);
    assert.deepEqual(await labelsFor(operator), ["ham", "spam"]);
  });

  it("knows a deleted model no more", async () => {
    assert.ok(await numberOf("mail@2"));
    const early = directory.resolve(operator, "mail").catch(() => undefined);
    await store.catalog.of(operator).models.delete("mail");
    directory.forget(operator.tenant, "mail");
    await early;
    for (const name of ["mail", "mail@1", "mail@2"]) await rejects(name, "NOT_FOUND");
  });
});
