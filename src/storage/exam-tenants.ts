/** The part of the stores' exam that is about whose rows are whose, and which ones are listed. */
import assert from "node:assert/strict";
import { type Caller, operator } from "../entities/caller.ts";
import type { Job } from "../entities/job.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import type { Examine } from "./exam-blobs.ts";
import type { Store, Table, TenantCatalog } from "./storage.ts";

/** Two callers who know nothing of each other. */
export const ann: Caller = { tenant: "tenant-ann", keyId: "key-ann", scopes: ["all"] };
export const bob: Caller = { tenant: "tenant-bob", keyId: "key-bob", scopes: ["all"] };

/** Rows to insert; each call gives an equal one. */
export interface ExampleRows {
  model(id: string): VirtualModel;
  version(model: string, number: number): Version;
  job(id: string): Job;
  file(id: string): TrainingFile;
  event(number: number, job: string): Parameters<TenantCatalog["events"]["append"]>[0];
}

export function examineTenants(examine: Examine, examples: ExampleRows): void {
  examineOwnRows(examine, ({ models }) => models, examples.model);
  examineOwnRows(examine, ({ jobs }) => jobs, examples.job);
  examineOwnRows(examine, ({ files }) => files, examples.file);
  examine("versions and events go with the model and the job of their tenant", async (store) => {
    const [anns, bobs] = viewsOf(store);
    const [job, served] = [examples.job("x"), { isServed: true }];
    for (const own of [anns, bobs]) await own.models.insert(examples.model("x"));
    await anns.versions.insert(examples.version("x", 1), served);
    await anns.jobs.insert(job);
    await anns.events.append(examples.event(1, "x"));
    const { incarnation } = examples.model("x");
    assert.equal(await bobs.versions.get(incarnation, 1), undefined);
    assert.deepEqual(await bobs.versions.list(incarnation, { limit: 9 }), []);
    assert.deepEqual(await bobs.versions.naming(examples.version("x", 1).blob), []);
    assert.equal(await bobs.versions.delete(incarnation, 1), false);
    assert.equal((await bobs.models.get("x"))?.servedVersion, undefined);
    assert.deepEqual(await bobs.events.list(job.id, { limit: 9 }), []);
    await assert.rejects(bobs.events.append(examples.event(2, "x")), { code: "NOT_FOUND" });
    await bobs.versions.insert(examples.version("x", 1), served);
    await bobs.jobs.insert(job);
    await bobs.events.append(examples.event(1, "x"));
    await assert.rejects(bobs.events.append(examples.event(1, "x")), { code: "ALREADY_EXISTS" });
    const foreign = bobs.events.list("ftjob-none", { limit: 9, after: examples.event(1, "x").id });
    await assert.rejects(foreign, { code: "INVALID_ARGUMENT", field: "after" });
    await bobs.models.delete("x");
    await bobs.jobs.delete(job.id);
    assert.deepEqual(await anns.versions.get(incarnation, 1), examples.version("x", 1));
    assert.equal((await anns.events.list(job.id, { limit: 9 })).length, 1);
    await assert.rejects(bobs.versions.insert(examples.version("x", 2), served), {
      code: "NOT_FOUND",
    });
  });
  examine("models with versions are added beside those of the same names", async (store) => {
    const row = { model: examples.model("x"), version: examples.version("x", 1) };
    for (const own of viewsOf(store)) await own.versions.insertWithModels([row]);
    for (const own of viewsOf(store)) {
      await assert.rejects(own.versions.insertWithModels([row]), { code: "ALREADY_EXISTS" });
      assert.equal((await own.models.get("x"))?.servedVersion, 1);
      assert.equal(await own.models.count(), 1);
    }
  });
  examineSystem(examine, examples);
}

/** Two tenants have rows of the same names, and each finds its own alone. */
function examineOwnRows<Row extends { readonly id: string; readonly createdAt: number }>(
  examine: Examine,
  tableOf: (view: TenantCatalog) => Table<Row>,
  example: (id: string) => Row,
): void {
  examine(`rows of the kind of ${example("x").id} are their tenant's alone`, async (store) => {
    const [anns, bobs, others] = [...viewsOf(store), store.catalog.of(operator)].map(tableOf);
    assert.ok(anns !== undefined && bobs !== undefined && others !== undefined);
    const [row, alone] = [example("x"), example("alone")];
    await anns.insert(row);
    await anns.insert(alone);
    await assert.rejects(bobs.update(row), { code: "NOT_FOUND" });
    await bobs.insert({ ...row, createdAt: 7 });
    assert.equal((await anns.get(row.id))?.createdAt, row.createdAt);
    assert.equal(await bobs.get(alone.id), undefined);
    assert.deepEqual(await bobs.list({ limit: 9 }), [{ ...row, createdAt: 7 }]);
    const following = bobs.list({ limit: 9, after: alone.id });
    await assert.rejects(following, { code: "INVALID_ARGUMENT", field: "after" });
    await bobs.update({ ...row, createdAt: 8 });
    assert.deepEqual(await anns.list({ limit: 9 }), [row, alone]);
    assert.equal(await bobs.delete(alone.id), false);
    assert.equal(await bobs.delete(row.id), true);
    assert.deepEqual(await anns.get(row.id), row);
    assert.deepEqual([await anns.count(), await bobs.count(), await others.count()], [2, 0, 0]);
  });
}

function examineSystem(examine: Examine, examples: ExampleRows): void {
  examine("what spans tenants is seen by the system alone", async (store) => {
    const { system } = store.catalog;
    const [anns, bobs] = viewsOf(store);
    const { blob, evidence } = examples.version("x", 1);
    const row = { model: examples.model("x"), version: examples.version("x", 1) };
    await anns.versions.insertWithModels([row]);
    await bobs.versions.insertWithModels([row]);
    await bobs.files.insert(examples.file("f"));
    for (const [view, id] of [
      [bobs, "first"],
      [anns, "second"],
    ] as const)
      await view.jobs.insert(examples.job(id));
    const jobs: string[] = [];
    for await (const { tenant, id } of system.jobs()) jobs.push(`${tenant} ${id}`);
    assert.deepEqual(jobs, ["tenant-bob ftjob-first", "tenant-ann ftjob-second"]);
    assert.equal(await system.countModels(), 2);
    assert.deepEqual([await system.hasModel("x"), await system.hasModel("y")], [true, false]);
    assert.equal(await system.modelOn(row.model.base), "x");
    assert.equal(await system.modelOn("none"), undefined);
    assert.equal(await system.countBlobUses(blob), 2);
    const named = new Set([blob, evidence, examples.file("f").blob]);
    assert.deepEqual(await system.namedBlobs(), named);
  });
}

export function examineLists(examine: Examine, examples: ExampleRows): void {
  examineFilesByPurpose(examine, examples);
  examineJobsByMetadata(examine, examples);
  examineVersionPages(examine, examples);
}

function examineFilesByPurpose(examine: Examine, examples: ExampleRows): void {
  examine("files are listed by purpose", async (store) => {
    const [{ files }, others] = viewsOf(store);
    for (const [index, name] of ["a", "b", "c", "d"].entries())
      await files.insert({ ...examples.file(name), purpose: index % 2 === 0 ? "even" : "odd" });
    await others.files.insert({ ...examples.file("e"), purpose: "even" });
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => examples.file(name).id);
    const ids = async (options: Parameters<typeof files.list>[0]): Promise<string[]> =>
      (await files.list(options)).map(({ id }) => id);
    assert.ok(b !== undefined && d !== undefined);
    const even = { limit: 9, where: { purpose: "even" } };
    assert.deepEqual(await ids(even), [a, c]);
    assert.deepEqual(await ids({ ...even, limit: 1 }), [a]);
    // The place may be that of a row that is not listed itself.
    assert.deepEqual(await ids({ ...even, after: b }), [c]);
    assert.deepEqual(await ids({ ...even, after: d, descending: true }), [c, a]);
    assert.deepEqual(await ids({ ...even, where: { purpose: "none" } }), []);
    assert.deepEqual(await ids({ limit: 9, where: {} }), [a, b, c, d]);
  });
}

function examineJobsByMetadata(examine: Examine, examples: ExampleRows): void {
  examine("jobs are listed by entries of their metadata", async (store) => {
    const [{ jobs }, others] = viewsOf(store);
    const insert = (id: string, metadata: Job["metadata"]): Promise<void> =>
      jobs.insert({ ...examples.job(id), metadata });
    await insert("a", { team: "post", run: "1" });
    await insert("b", {});
    await insert("c", { team: "post", run: "2", "k'\"%": "\u{1f600}" });
    await insert("d", { run: "2", team: "rail" });
    await others.jobs.insert({ ...examples.job("e"), metadata: { team: "post" } });
    const found = async (metadata: Job["metadata"], descending = false): Promise<string> => {
      const rows = await jobs.list({ limit: 9, where: { metadata }, descending });
      return rows.map(({ id }) => id.slice("ftjob-".length)).join("");
    };
    assert.equal(await found({ team: "post" }), "ac");
    assert.equal(await found({ team: "post" }, true), "ca");
    assert.equal(await found({ team: "post", run: "2" }), "c");
    assert.equal(await found({ run: "2", team: "post" }), "c");
    assert.equal(await found({ "k'\"%": "\u{1f600}" }), "c");
    assert.equal(await found({ team: "post", run: "3" }), "");
    assert.equal(await found({ toString: "post" }), "");
    assert.equal(await found({}), "abcd");
    const rest = { limit: 9, after: examples.job("b").id, where: { metadata: { team: "post" } } };
    assert.deepEqual(
      (await jobs.list(rest)).map(({ id }) => id),
      [examples.job("c").id],
    );
    await jobs.update({ ...examples.job("a"), metadata: { team: "rail" } });
    await jobs.delete(examples.job("c").id);
    assert.equal(await found({ team: "post" }), "");
    assert.equal(await found({ team: "rail" }), "ad");
  });
}

function examineVersionPages(examine: Examine, examples: ExampleRows): void {
  examine("versions are listed page by page, and by their job", async (store) => {
    const { models, versions } = store.catalog.of(ann);
    await models.insert(examples.model("x"));
    for (const number of [1, 2, 5, 6]) {
      const job = number === 5 ? "ftjob-5" : undefined;
      await versions.insert({ ...examples.version("x", number), job }, { isServed: false });
    }
    const numbers = async (options: Parameters<typeof versions.list>[1]): Promise<number[]> =>
      (await versions.list(examples.model("x").incarnation, options)).map(({ number }) => number);
    assert.deepEqual(await numbers({ limit: 2 }), [1, 2]);
    assert.deepEqual(await numbers({ limit: 2, after: 2 }), [5, 6]);
    assert.deepEqual(await numbers({ limit: 2, after: 3 }), [5, 6]);
    assert.deepEqual(await numbers({ limit: 9, after: 6 }), []);
    assert.deepEqual(await numbers({ limit: 9, where: { job: "ftjob-5" } }), [5]);
    assert.deepEqual(await numbers({ limit: 9, where: { job: "ftjob-6" } }), []);
  });
}

function viewsOf({ catalog }: Store): readonly [TenantCatalog, TenantCatalog] {
  return [catalog.of(ann), catalog.of(bob)];
}
