/** Stores that earlier versions have written go on. */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { operator } from "../../entities/caller.ts";
import { ann } from "../exam-tenants.ts";
import type { Store } from "../storage.ts";
import { openFileStore } from "./file-store.ts";
import { checkOf } from "./records.ts";
import { openSqlite } from "./sqlite.ts";

type Rows = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

const fixture = "test/fixtures/store-schema-1";
const written: unknown = JSON.parse(readFileSync(`${fixture}.json`, "utf8"));
const { rows } = written as { readonly rows: Rows }; // the fixture's own form
const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A copy of the store as it was released. */
function copyOfFixture(name = fixture): string {
  const folder = mkdtempSync(join(tmpdir(), "strata-migration-"));
  folders.push(folder);
  cpSync(name, folder, { recursive: true });
  return folder;
}

/** The rows have the fields that were written; later schemas may add some. */
function checkRows(found: readonly object[], table: string): void {
  const expected = rows[table] ?? [];
  assert.equal(found.length, expected.length, table);
  for (const [index, row] of expected.entries()) {
    const fields = Object.entries(found[index] ?? {});
    const known = fields.filter(([name]) => Object.hasOwn(row, name));
    assert.deepEqual(Object.fromEntries(known), row, table);
  }
}

async function checkStore({ blobs, catalog }: Store): Promise<void> {
  const all = { limit: 100 };
  const [bases, models, jobs, files] = await Promise.all(
    [
      catalog.bases,
      catalog.of(operator).models,
      catalog.of(operator).jobs,
      catalog.of(operator).files,
    ].map((table) => table.list(all)),
  );
  assert.ok(bases && models && jobs && files);
  for (const [table, found] of Object.entries({ bases, models, jobs, files }))
    checkRows(found, table);
  const versions = await Promise.all(
    (await catalog.of(operator).models.list(all)).map(async (model) => {
      const list = await catalog.of(operator).versions.list(model.incarnation, { limit: 100 });
      assert.equal(model.versionCount, list.length);
      for (const version of list) assert.deepEqual(version.labels, model.labels);
      // Schema 1 knew a model by its name alone.
      return list.map((version) => ({ ...version, model: model.id }));
    }),
  );
  // Schema 1 knew an adapter by its rank alone: a bottleneck in the upper layers.
  const ranked = versions
    .flat()
    .map((version) => ({ ...version, rank: version.adapter?.rank ?? 0 }));
  checkRows(ranked, "versions");
  for (const { adapter, task, form, domain } of ranked) {
    assert.deepEqual([task, form, domain], ["text-classification", "dense", undefined]);
    if (adapter !== undefined)
      assert.deepEqual(adapter, { kind: "bottleneck", rank: 16, layers: [3, 4, 5] });
  }
  const incarnations = (await catalog.of(operator).models.list(all)).map(
    ({ incarnation }) => incarnation,
  );
  assert.deepEqual(incarnations, ["vplm-1", "vplm-2"]);
  const [job] = await catalog.of(operator).jobs.list(all);
  assert.equal(job?.incarnation, (await catalog.of(operator).models.get("tickets"))?.incarnation);
  const events = await Promise.all(jobs.map(({ id }) => catalog.of(operator).events.list(id, all)));
  checkRows(events.flat(), "events");
  for (const digest of await catalog.system.namedBlobs()) await blobs.get(digest);
}

test("a store of schema 1 opens with all that it held", async () => {
  const folder = copyOfFixture();
  for (let opening = 0; opening < 2; opening++) {
    const store = await openFileStore(folder);
    await checkStore(store);
    await store.close();
  }
});

test("versions of schema 3 say what they were fitted on, and rot stays rot", async () => {
  const folder = copyOfFixture("test/fixtures/store-schema-3");
  const spoilt = openSqlite(join(folder, "catalog.sqlite"));
  spoilt.exec(`UPDATE "versions" SET "blobBytes" = 8 WHERE "model" = 'vplm-b' AND "number" = 1`);
  spoilt.close();
  for (let opening = 0; opening < 2; opening++) {
    const store = await openFileStore(folder);
    const { versions } = store.catalog.of(operator);
    const fits = (await versions.list("vplm-a", { limit: 100 })).map(
      ({ task, adapter, form, domain }) => ({
        ...{ task, adapter, form, domain },
      }),
    );
    const fit = { task: "text-classification", form: "dense", domain: undefined };
    assert.deepEqual(fits, [
      { ...fit, adapter: undefined },
      { ...fit, adapter: { kind: "bottleneck", rank: 8, layers: [1, 2, 3] } },
    ]);
    const layers = [6, 7, 8, 9, 10, 11];
    const { adapter } = (await versions.get("vplm-b", 2)) ?? {};
    assert.deepEqual(adapter, { kind: "bottleneck", rank: 8, layers });
    await assert.rejects(versions.get("vplm-b", 1), {
      code: "CORRUPT",
      message: /Cannot read versions "vplm-b@1"/,
    });
    await store.close();
  }
});

test("versions of schema 3 say by their verdicts whether they were served", async () => {
  const folder = copyOfFixture("test/fixtures/store-schema-3");
  const written = openSqlite(join(folder, "catalog.sqlite"));
  // Rows without a check are taken for what they say, and get one.
  const tell = written.prepare(
    `UPDATE "versions" SET "verdict" = ?, "check" = NULL WHERE "model" = ? AND "number" = ?`,
  );
  tell.run("Served: the first version", "vplm-a", 1);
  tell.run("Not served: worse than version 1", "vplm-a", 2);
  tell.run(null, "vplm-b", 2);
  written.close();
  const store = await openFileStore(folder);
  const { versions } = store.catalog.of(operator);
  const outcomes = (await versions.list("vplm-a", { limit: 100 })).map(({ outcome }) => outcome);
  assert.deepEqual(outcomes, ["served", "not_served"]);
  assert.equal((await versions.get("vplm-b", 2))?.outcome, undefined);
  await store.close();
});

test("rows of schema 3 become the operator's, jobs are found, and rot stays rot", async () => {
  const folder = copyOfFixture("test/fixtures/store-schema-3");
  addJobs(join(folder, "catalog.sqlite"));
  for (let opening = 0; opening < 2; opening++) {
    const store = await openFileStore(folder);
    const { jobs, events, files, models, versions } = store.catalog.of(operator);
    const where = { metadata: { team: "post" } };
    assert.deepEqual(await jobs.list({ limit: 9, where }), [await jobs.get("ftjob-sound")]);
    assert.deepEqual((await jobs.get("ftjob-sound"))?.metadata, { team: "post", run: "1" });
    for (const id of ["ftjob-rotten", "ftjob-torn"])
      await assert.rejects(jobs.get(id), { code: "CORRUPT" });
    assert.equal((await events.list("ftjob-sound", { limit: 9 }))[0]?.message, "Created");
    assert.deepEqual((await files.list({ limit: 9, where: { purpose: "fine-tune" } })).length, 1);
    assert.equal((await files.get("file-1"))?.task, undefined);
    assert.deepEqual([await models.count(), await store.catalog.system.countModels()], [2, 2]);
    const others = store.catalog.of(ann);
    assert.deepEqual(await others.models.list({ limit: 9 }), []);
    assert.deepEqual(await others.jobs.list({ limit: 9 }), []);
    assert.deepEqual(await others.files.list({ limit: 9 }), []);
    assert.deepEqual(await others.versions.list("vplm-a", { limit: 9 }), []);
    // The ties between the new tables hold: what belongs to a job or a model goes with it.
    if (opening === 1) {
      await jobs.delete("ftjob-sound");
      await models.delete("a");
      assert.deepEqual(await jobs.list({ limit: 9, where }), []);
      assert.deepEqual(await events.list("ftjob-sound", { limit: 9 }), []);
      assert.deepEqual(await versions.list("vplm-a", { limit: 9 }), []);
    }
    await store.close();
  }
});

/** Jobs as schema 3 had them, of which two have rotted since, an event and a file. */
function addJobs(path: string): void {
  const sqlite = openSqlite(path);
  const insert = (table: string, row: Readonly<Record<string, string | number>>): void => {
    const columns = Object.entries({ ...row, check: checkOf(table, Object.entries(row)) });
    const names = columns.map(([name]) => `"${name}"`).join(", ");
    const places = columns.map(() => "?").join(", ");
    const values = columns.map(([, value]) => value);
    sqlite.prepare(`INSERT INTO "${table}" (${names}) VALUES (${places})`).run(...values);
  };
  const facts = { requestedModel: "tiny", trainingFile: "file-1", hyperparameters: "{}", seed: 1 };
  const rest = { status: "failed", createdAt: 1, finishedAt: 2, incarnation: "vplm-9" };
  const metadata = '{"team":"post","run":"1"}';
  for (const id of ["ftjob-rotten", "ftjob-sound", "ftjob-torn"])
    insert("jobs", { id, ...facts, metadata, ...rest });
  sqlite.exec(`UPDATE "jobs" SET "seed" = 2 WHERE "id" = 'ftjob-rotten';
    UPDATE "jobs" SET "metadata" = '{"team":"po' WHERE "id" = 'ftjob-torn'`);
  const said = { level: "info", type: "message", message: "Created", values: "{}", createdAt: 1 };
  insert("events", { id: "ftevent-1", job: "ftjob-sound", ...said });
  const content = { bytes: 1, blob: "sha256:0", createdAt: 1 };
  insert("files", { id: "file-1", filename: "a.csv", purpose: "fine-tune", ...content });
  sqlite.close();
}

test("a copy of the catalog is kept before it is migrated, and opens as well", async () => {
  const folder = copyOfFixture();
  await (await openFileStore(folder)).close();
  const copy = copyOfFixture();
  rmSync(join(copy, "catalog.sqlite"));
  cpSync(join(folder, "catalog-schema1.sqlite"), join(copy, "catalog.sqlite"));
  const store = await openFileStore(copy);
  await checkStore(store);
  await store.close();
  // Put back where changes were acknowledged later, it is not taken for the catalog of the store.
  cpSync(join(folder, "catalog-schema1.sqlite"), join(folder, "catalog.sqlite"));
  await assert.rejects(openFileStore(folder), {
    code: "CORRUPT",
    message: /it is another one than the store has had; put that one back, or accept the loss/,
  });
  rmSync(join(folder, "catalog.mark"));
  const accepted = await openFileStore(folder);
  await checkStore(accepted);
  await accepted.close();
});

test("a migration of which a statement fails leaves the old catalog", async () => {
  const folder = copyOfFixture();
  const path = join(folder, "catalog.sqlite");
  const obstacle = openSqlite(path);
  obstacle.exec('CREATE TABLE "state" ("taken" TEXT)');
  obstacle.close();
  const dump = dumpOf(path);
  await assert.rejects(openFileStore(folder), { code: "UNAVAILABLE", message: /already exists/ });
  assert.deepEqual(dumpOf(path), dump);
  const remedy = openSqlite(path);
  remedy.exec('DROP TABLE "state"');
  remedy.close();
  const store = await openFileStore(folder);
  await checkStore(store);
  await store.close();
});

/** All that is in the file: its schema's number, its statements, its rows. */
function dumpOf(path: string): unknown {
  const sqlite = openSqlite(path);
  try {
    const names = sqlite.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").all();
    const tables = ["bases", "models", "versions", "jobs", "events", "files"];
    const content = tables.map((table) => sqlite.prepare(`SELECT * FROM "${table}"`).all());
    return [sqlite.pragma("user_version"), names, content];
  } finally {
    sqlite.close();
  }
}
