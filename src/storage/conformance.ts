/** The exam of every `Store`: what the interface promises, asked of a driver. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { exampleBase } from "../entities/exam-base.ts";
import { operator } from "../entities/caller.ts";
import type { Job, JobEvent } from "../entities/job.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { digestOf } from "../foundation/digest.ts";
import { limits } from "../foundation/limits.ts";
import {
  digestsOf,
  type Examine,
  examineBlobs,
  examineKeeper,
  examineQuarantine,
  examineStreams,
  exampleFile,
} from "./exam-blobs.ts";
import { type ExampleRows, examineLists, examineTenants } from "./exam-tenants.ts";
import type { StoreDriver, Table } from "./storage.ts";

/** A vPLM with every field set. */
export function exampleModel(id: string): VirtualModel {
  const labels = ["spam", 'h"äm', "\u2028"];
  const rest = { servedVersion: undefined, versionCount: 0, createdAt: 1 };
  const incarnation = `vplm-${id}` as const;
  return { id, incarnation, base: "base", task: "text-classification", labels, ...rest };
}

/** A version of `exampleModel(model)` with every field set. */
export function exampleVersion(model: string, number: number): Version {
  return {
    model: `vplm-${model}`,
    number,
    kind: "trained",
    labels: exampleModel(model).labels,
    blob: digestOf(`${model}@${number}`),
    blobBytes: 150_000,
    shapes: { "head.bias": [3], "head.weight": [3, 384] },
    task: "text-classification",
    adapter: { kind: "lora", rank: 16, layers: [0, 5] },
    form: "hierarchical",
    domain: "law",
    pooling: "mean",
    precision: "int8",
    metrics: { devAccuracy: 0.1 + 0.2, loss: 1e-9 },
    evidence: digestOf(`evidence of ${model}@${number}`),
    outcome: "not_served",
    verdict: "It is not better.",
    job: "ftjob-1",
    createdAt: 1_763_000_000_123,
  };
}

const examples: ExampleRows = {
  model: exampleModel,
  version: exampleVersion,
  job: exampleJob,
  file: exampleFile,
  event: exampleEvent,
};

/** `open` gives an empty store each time; each is closed by the exam. */
export function examineStore(name: string, open: () => Promise<StoreDriver>): void {
  const examine = (title: string, work: (store: StoreDriver) => Promise<void>): void => {
    test(title, async () => {
      const store = await open();
      try {
        await work(store);
      } finally {
        await store.close();
      }
    });
  };
  describe(`${name} as a store`, () => {
    examineBlobs(examine);
    examineQuarantine(examine);
    examineStreams(examine);
    examineKeeper(examine);
    examineTable(examine, ({ catalog }) => catalog.bases, exampleBase);
    examineTable(examine, ({ catalog }) => catalog.of(operator).models, exampleModel);
    examineTable(examine, ({ catalog }) => catalog.of(operator).jobs, exampleJob);
    examineTable(examine, ({ catalog }) => catalog.of(operator).files, exampleFile);
    examineVersions(examine);
    examineManyModels(examine);
    examineEvents(examine);
    examineTenants(examine, examples);
    examineLists(examine, examples);
  });
}

function examineTable<Row extends { readonly id: string; readonly createdAt: number }>(
  examine: Examine,
  tableOf: (store: StoreDriver) => Table<Row>,
  example: (id: string) => Row,
): void {
  const title = `rows of the kind of ${example("x").id}`;
  examine(`${title} are inserted, replaced and deleted`, async (store) => {
    const table = tableOf(store);
    const row = example("a");
    await table.insert(row);
    assert.deepEqual(await table.get(row.id), row);
    assert.equal(await table.get(example("b").id), undefined);
    await assert.rejects(table.insert(row), { code: "ALREADY_EXISTS" });
    await table.update({ ...row, createdAt: 2 });
    assert.deepEqual(await table.get(row.id), { ...row, createdAt: 2 });
    await assert.rejects(table.update(example("b")), { code: "NOT_FOUND" });
    assert.equal(await table.delete(row.id), true);
    assert.equal(await table.delete(row.id), false);
    assert.equal(await table.count(), 0);
  });
  examine(`${title} are listed in order of creation, page by page`, async (store) => {
    const table = tableOf(store);
    const names = ["z", "a", "m", "b", "y"];
    for (const name of names) await table.insert(example(name));
    // Neither an update nor the clock changes the order.
    await table.update({ ...example("z"), createdAt: 99 });
    await table.delete(example("m").id);
    const order = ["z", "a", "b", "y"].map((name) => example(name).id);
    const ids = (rows: readonly Row[]): string[] => rows.map(({ id }) => id);
    assert.deepEqual(ids(await table.list({ limit: 10 })), order);
    assert.deepEqual(ids(await table.list({ limit: 2, after: order[0] ?? "" })), order.slice(1, 3));
    assert.deepEqual(ids(await table.list({ limit: 9, after: order[3] ?? "" })), []);
    const newest = await table.list({ limit: 2, after: order[3] ?? "", descending: true });
    assert.deepEqual(ids(newest), [order[2], order[1]]);
    const unknown = table.list({ limit: 2, after: example("m").id });
    await assert.rejects(unknown, { code: "INVALID_ARGUMENT", field: "after" });
    assert.equal(await table.count(), 4);
  });
}

function examineVersions(examine: Examine): void {
  examine("versions are numbered per model and move the alias", async ({ catalog }) => {
    const { models, versions } = catalog.of(operator);
    await models.insert(exampleModel("a"));
    await versions.insert(exampleVersion("a", 2), { isServed: true });
    await versions.insert(exampleVersion("a", 1), { isServed: false });
    assert.equal((await models.get("a"))?.servedVersion, 2);
    assert.deepEqual(await versions.get("vplm-a", 1), exampleVersion("a", 1));
    assert.equal(await versions.get("vplm-a", 3), undefined);
    const named = await versions.naming(exampleVersion("a", 2).blob);
    assert.deepEqual(named, [{ model: "vplm-a", number: 2 }]);
    assert.deepEqual(await versions.naming(digestOf("no version's")), []);
    const list = await versions.list("vplm-a", { limit: 100 });
    assert.deepEqual(list, [exampleVersion("a", 1), exampleVersion("a", 2)]);
    const taken = versions.insert(exampleVersion("a", 1), { isServed: true });
    await assert.rejects(taken, { code: "ALREADY_EXISTS" });
    assert.equal((await models.get("a"))?.servedVersion, 2);
    const grown = { ...exampleVersion("a", 7), labels: ["more"] };
    await versions.insert(grown, { isServed: true });
    const model = { ...exampleModel("a"), servedVersion: 7, versionCount: 7, labels: ["more"] };
    assert.deepEqual(await models.get("a"), model);
    assert.equal(await versions.delete("vplm-a", 1), true);
    assert.equal(await versions.delete("vplm-a", 1), false);
    assert.equal((await models.get("a"))?.versionCount, 7);
    const orphan = versions.insert(exampleVersion("b", 1), { isServed: true });
    await assert.rejects(orphan, { code: "NOT_FOUND" });
  });
  examine("versions vanish with their model", async ({ catalog }) => {
    const { models, versions } = catalog.of(operator);
    await models.insert(exampleModel("a"));
    await versions.insert(exampleVersion("a", 1), { isServed: true });
    await models.delete("a");
    await models.insert(exampleModel("a"));
    assert.deepEqual(await versions.list("vplm-a", { limit: 100 }), []);
    const { blob, evidence } = exampleVersion("a", 1);
    for (const digest of [blob, evidence ?? blob])
      assert.equal(await catalog.system.countBlobUses(digest), 0);
  });
  examine("uses of a blob are counted over models and files", async ({ catalog }) => {
    const { blob } = exampleVersion("a", 1);
    for (const id of ["a", "b"]) {
      await catalog.of(operator).models.insert(exampleModel(id));
      await catalog
        .of(operator)
        .versions.insert({ ...exampleVersion(id, 1), blob }, { isServed: false });
    }
    await catalog.of(operator).files.insert({ ...exampleFile("f"), blob });
    const witness = { ...exampleVersion("a", 2), evidence: blob };
    await catalog.of(operator).versions.insert(witness, { isServed: false });
    assert.equal(await catalog.system.countBlobUses(blob), 4);
    assert.equal(await catalog.system.countBlobUses(digestOf("other")), 0);
  });
  examine("a sweep sets aside the blobs that nothing names, and no other", async (store) => {
    const { blobs, catalog, keeper } = store;
    const [ofVersion, ofFile, ofNothing] = await Promise.all(
      ["version", "file", "nothing"].map((text) => blobs.put(Buffer.from(text))),
    );
    assert.ok(ofVersion !== undefined && ofFile !== undefined && ofNothing !== undefined);
    await catalog.of(operator).models.insert(exampleModel("a"));
    const version = { ...exampleVersion("a", 1), blob: ofVersion, evidence: undefined };
    await catalog.of(operator).versions.insert(version, { isServed: false });
    await catalog.of(operator).files.insert({ ...exampleFile("f"), blob: ofFile });
    const none = { quarantinedCount: 0, restoredCount: 0, removedCount: 0 };
    const dayMs = 86_400_000;
    assert.deepEqual(await keeper.sweep(dayMs), { ...none, quarantinedCount: 1 });
    assert.deepEqual((await digestsOf(blobs)).toSorted(), [ofVersion, ofFile].toSorted());
    assert.deepEqual(await keeper.sweep(31 * dayMs), none);
    // A row names it after all: it is there, and by a later sweep it is no more set aside.
    await catalog.of(operator).files.insert({ ...exampleFile("late"), blob: ofNothing });
    assert.deepEqual(await keeper.sweep(32 * dayMs), { ...none, restoredCount: 1 });
    assert.equal(Buffer.from(await blobs.get(ofNothing)).toString(), "nothing");
    await catalog.of(operator).files.delete(exampleFile("late").id);
    assert.deepEqual(await keeper.sweep(40 * dayMs), { ...none, quarantinedCount: 1 });
    assert.deepEqual(await keeper.sweep(71 * dayMs), { ...none, removedCount: 1 });
    assert.equal(await blobs.has(ofNothing), false);
  });
}

function examineManyModels(examine: Examine): void {
  const rowOf = (id: string): { model: VirtualModel; version: Version } => ({
    model: exampleModel(id),
    version: exampleVersion(id, 1),
  });
  examine("1,000 models are added with their versions, or none", async ({ catalog }) => {
    const { models, versions } = catalog.of(operator);
    const rows = Array.from({ length: 1_000 }, (_, index) => rowOf(`m${index}`));
    await versions.insertWithModels(rows);
    assert.equal(await models.count(), 1_000);
    const last = { ...exampleModel("m999"), servedVersion: 1, versionCount: 1 };
    assert.deepEqual(await models.list({ limit: 1, descending: true }), [last]);
    assert.deepEqual(await versions.list("vplm-m999", { limit: 100 }), [exampleVersion("m999", 1)]);
    const more = [...Array.from({ length: 999 }, (_, index) => rowOf(`n${index}`)), rowOf("m5")];
    await assert.rejects(versions.insertWithModels(more), { code: "ALREADY_EXISTS" });
    const twice = [rowOf("n1"), rowOf("n1")];
    await assert.rejects(versions.insertWithModels(twice), { code: "ALREADY_EXISTS" });
    assert.equal(await models.count(), 1_000);
  });
  examine("what was read or written is a copy", async ({ catalog }) => {
    const { models } = catalog.of(operator);
    await models.insert(exampleModel("a"));
    const labels = (await models.get("a"))?.labels as string[]; // Breaks the promise.
    labels.push("intruder");
    assert.deepEqual((await models.get("a"))?.labels, exampleModel("a").labels);
  });
}

function examineEvents(examine: Examine): void {
  examine("events are listed per job, and vanish with it", async ({ catalog }) => {
    const { events, jobs } = catalog.of(operator);
    await jobs.insert(exampleJob("a"));
    await jobs.insert(exampleJob("b"));
    for (const [number, job] of ["a", "b", "a", "a"].entries())
      await events.append(exampleEvent(number, job));
    const job = exampleJob("a").id;
    assert.deepEqual(
      await events.list(job, { limit: limits.listPageCountMax }),
      [0, 2, 3].map((number) => exampleEvent(number, "a")),
    );
    const newest = { limit: 1, descending: true, after: exampleEvent(3, "a").id };
    assert.deepEqual(await events.list(job, newest), [exampleEvent(2, "a")]);
    const foreign = events.list(job, { limit: 1, after: exampleEvent(1, "b").id });
    await assert.rejects(foreign, { code: "INVALID_ARGUMENT", field: "after" });
    await assert.rejects(events.append(exampleEvent(0, "a")), { code: "ALREADY_EXISTS" });
    await assert.rejects(events.append(exampleEvent(9, "c")), { code: "NOT_FOUND" });
    await jobs.delete(job);
    assert.deepEqual(await events.list(job, { limit: 10 }), []);
    assert.equal((await events.list(exampleJob("b").id, { limit: 10 })).length, 1);
  });
}

export function exampleJob(id: string): Job {
  return {
    id: `ftjob-${id}`,
    requestedModel: "base",
    model: undefined,
    incarnation: "vplm-1",
    suffix: "spam",
    trainingFile: "file-1",
    validationFile: undefined,
    hyperparameters: { epochCount: 3, learningRate: 1e-3 },
    seed: 4_294_967_295,
    metadata: { team: "a" },
    status: "failed",
    error: { code: "INVALID_ARGUMENT", message: "no" },
    trainedTokens: 12,
    createdAt: 1,
    finishedAt: undefined,
  };
}

function exampleEvent(number: number, job: string): JobEvent {
  const text = { level: "info", type: "metrics", message: "step 1" } as const;
  const id = `ftevent-${number}` as const;
  return { id, job: exampleJob(job).id, ...text, values: { loss: 0.5 }, createdAt: number };
}
