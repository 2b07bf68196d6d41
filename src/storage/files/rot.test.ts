/** What has rotted on the disk is named, never served, and mended where its bytes come again. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { operator } from "../../entities/caller.ts";
import { type Log, silentTelemetry } from "../../foundation/telemetry.ts";
import { exampleJob, exampleModel, exampleVersion } from "../conformance.ts";
import { ann, bob } from "../exam-tenants.ts";
import type { StoreDriver } from "../storage.ts";
import { openFileStore } from "./file-store.ts";
import { openSqlite } from "./sqlite.ts";

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "strata-rot-"));
  folders.push(folder);
  return folder;
};
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A log, and what warnings and errors were written to it. */
function listening(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const note = (message: string): void => void lines.push(message);
  return { log: { ...silentTelemetry.log, warn: note, error: note }, lines };
}

/** Models a to e, each with a version and its blob. */
async function fill(folder: string): Promise<void> {
  const store = await openFileStore(folder, { reserveBytes: 0 });
  for (const id of ["a", "b", "c", "d", "e"]) await addModel(store, id);
  await store.close();
}

async function addModel(store: StoreDriver, id: string): Promise<void> {
  const blob = await store.blobs.put(Buffer.from(`weights of ${id}`));
  const version = { ...exampleVersion(id, 1), blob, evidence: undefined };
  await store.catalog
    .of(operator)
    .versions.insertWithModels([{ model: exampleModel(id), version }]);
}

function change(folder: string, statement: string): void {
  const sqlite = openSqlite(join(folder, "catalog.sqlite"));
  const { changes } = sqlite.prepare(statement).run();
  assert.equal(changes, 1, statement);
  sqlite.close();
}

const flippedLabel = `UPDATE "models" SET "labels" = replace("labels", 'spam', 'spal')
  WHERE "id" = 'c'`;

test("a flipped bit in a label is named, and the other rows are there", async () => {
  const folder = newFolder();
  await fill(folder);
  change(folder, flippedLabel);
  const { log, lines } = listening();
  const store = await openFileStore(folder, { log });
  const { models, versions } = store.catalog.of(operator);
  await assert.rejects(models.get("c"), { code: "CORRUPT", message: /Cannot read models "c": / });
  const ids = async (after?: string): Promise<string> =>
    (await models.list({ limit: 2, ...(after !== undefined && { after }) }))
      .map(({ id }) => id)
      .join("");
  // Pages are full although a row is left out, so nobody takes one for the last.
  assert.deepEqual(
    [await ids(), await ids("b"), await ids("c"), await ids("e")],
    ["ab", "de", "de", ""],
  );
  assert.equal(await models.count(), 5);
  assert.deepEqual(lines.length, 1);
  assert.match(lines[0] ?? "", /models "c"/);
  // It can be replaced, and it can be deleted; nothing is published on what it says.
  const next = { ...exampleVersion("c", 2), evidence: undefined };
  await assert.rejects(versions.insert(next, { isServed: true }), { code: "CORRUPT" });
  await models.update(exampleModel("c"));
  assert.deepEqual(await models.get("c"), exampleModel("c"));
  await store.close();
  change(folder, flippedLabel);
  const again = await openFileStore(folder);
  assert.equal(await again.catalog.of(operator).models.delete("c"), true);
  assert.equal(await again.catalog.of(operator).models.get("c"), undefined);
  await again.close();
});

test("entries that have rotted lead to no other job, nor to another tenant's", async () => {
  const folder = newFolder();
  const store = await openFileStore(folder);
  const metadata = { team: "post" };
  await store.catalog.of(ann).jobs.insert({ ...exampleJob("a"), metadata });
  await store.catalog.of(bob).jobs.insert({ ...exampleJob("b"), metadata });
  await store.close();
  change(folder, `UPDATE "jobMetadata" SET "value" = 'pest' WHERE "tenant" = 'tenant-ann'`);
  change(folder, `UPDATE "jobMetadata" SET "tenant" = 'tenant-ann' WHERE "value" = 'post'`);
  const again = await openFileStore(folder);
  const { jobs } = again.catalog.of(ann);
  for (const team of ["post", "pest"])
    assert.deepEqual(await jobs.list({ limit: 9, where: { metadata: { team } } }), []);
  assert.deepEqual(await jobs.list({ limit: 9 }), [{ ...exampleJob("a"), metadata }]);
  await again.close();
});

test("with a row that has rotted nothing is swept, and its blob stays", async () => {
  const folder = newFolder();
  await fill(folder);
  change(
    folder,
    `UPDATE "versions" SET "blob" = replace("blob", 'a', 'b') WHERE "number" = 1
    AND "model" = '${exampleModel("a").incarnation}'`,
  );
  const store = await openFileStore(folder);
  await assert.rejects(store.keeper.sweep(0), { code: "CORRUPT", message: /Cannot read versions/ });
  let blobCount = 0;
  for await (const digest of store.blobs.list()) blobCount += digest.length > 0 ? 1 : 0;
  assert.equal(blobCount, 5);
  const { incarnation } = exampleModel("a");
  const listed = await store.catalog.of(operator).versions.list(incarnation, { limit: 100 });
  assert.deepEqual(listed, []);
  await assert.rejects(store.catalog.of(operator).versions.get(incarnation, 1), {
    code: "CORRUPT",
  });
  await store.close();
});

test("a version that has rotted is named by its number, and the others are listed", async () => {
  const folder = newFolder();
  const { incarnation } = exampleModel("a");
  const filled = await openFileStore(folder, { reserveBytes: 0 });
  await filled.catalog.of(operator).models.insert(exampleModel("a"));
  for (const number of [1, 2, 3, 4])
    await filled.catalog
      .of(operator)
      .versions.insert({ ...exampleVersion("a", number), job: "j" }, { isServed: true });
  await filled.close();
  change(folder, `UPDATE "versions" SET "blobBytes" = "blobBytes" + 1 WHERE "number" = 2`);
  const { log, lines } = listening();
  const store = await openFileStore(folder, { log });
  const { versions } = store.catalog.of(operator);
  const numbers = async (page: Parameters<typeof versions.list>[1]): Promise<string> =>
    (await versions.list(incarnation, page)).map(({ number }) => number).join("");
  assert.equal(await numbers({ limit: 9 }), "134");
  assert.equal(await numbers({ limit: 2 }), "13");
  assert.equal(await numbers({ limit: 1, after: 1 }), "3");
  assert.equal(await numbers({ limit: 2, where: { job: "j" } }), "13");
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? "", /Cannot read versions "vplm-a@2"/);
  await assert.rejects(versions.get(incarnation, 2), { code: "CORRUPT" });
  assert.equal(await versions.delete(incarnation, 2), true);
  await store.close();
});

test("a blob that has rotted is mended by storing its bytes again", async () => {
  for (const rotten of ["sounD", "", "sound and more"]) {
    const folder = newFolder();
    const store = await openFileStore(folder);
    const bytes = Buffer.from("sound");
    const digest = await store.blobs.put(bytes);
    const name = digest.slice("sha256:".length);
    writeFileSync(join(folder, "blobs", name.slice(0, 2), name), rotten);
    await assert.rejects(store.blobs.get(digest), { code: "CORRUPT" });
    assert.equal(await store.blobs.put(bytes), digest);
    assert.equal(Buffer.from(await store.blobs.get(digest)).toString(), "sound");
    writeFileSync(join(folder, "blobs", name.slice(0, 2), name), rotten);
    await store.blobs.putStream(streamOf(bytes), 100);
    assert.equal(Buffer.from(await store.blobs.get(digest)).toString(), "sound");
    await store.close();
  }
});

async function* streamOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

test("blobs without their catalog are refused and left alone", async () => {
  const folder = newFolder();
  await fill(folder);
  const [path, aside] = [join(folder, "catalog.sqlite"), join(folder, "elsewhere")];
  renameSync(path, aside);
  const missing = {
    code: "CORRUPT",
    message: /it is missing, .* put it back, or move the folders/,
  };
  await assert.rejects(openFileStore(folder), missing);
  assert.ok(!readdirSync(folder).includes("catalog.sqlite"), "nothing is put in its place");
  writeFileSync(path, "");
  await assert.rejects(openFileStore(folder), missing);
  rmSync(path);
  // Even when the mark is gone too, and when all blobs lie in quarantine.
  rmSync(join(folder, "catalog.mark"));
  await assert.rejects(openFileStore(folder), missing);
  renameSync(aside, path);
  const store = await openFileStore(folder);
  assert.equal(await store.catalog.of(operator).models.count(), 5);
  await store.close();
});

test("an earlier catalog that was put back is refused until that is accepted", async () => {
  const folder = newFolder();
  await fill(folder);
  const [path, day] = [join(folder, "catalog.sqlite"), 86_400_000];
  const earlier = readFileSync(path);
  const store = await openFileStore(folder);
  await addModel(store, "f");
  const { versions } = store.catalog.of(operator);
  const { blob } = (await versions.get(exampleModel("f").incarnation, 1)) ?? {};
  assert.ok(blob !== undefined);
  await store.close();
  const later = readFileSync(path);
  writeFileSync(path, earlier);
  const message = /1 acknowledged changes, the last ones, are missing .* deleting "catalog/;
  await assert.rejects(openFileStore(folder), { code: "CORRUPT", message });
  rmSync(join(folder, "catalog.mark"));
  const { log, lines } = listening();
  const accepted = await openFileStore(folder, { log });
  assert.match(lines.join(), /mark of the catalog is absent/);
  assert.equal((await accepted.keeper.sweep(day)).quarantinedCount, 1);
  await accepted.close();
  // The right one comes back after all: what had been set aside is there.
  writeFileSync(path, later);
  const right = await openFileStore(folder);
  assert.equal(Buffer.from(await right.blobs.get(blob)).toString(), "weights of f");
  assert.equal((await right.keeper.sweep(99 * day)).removedCount, 0);
  await right.close();
});

test("a damaged mark or owner stops nobody, a damaged lock is named", async () => {
  const folder = newFolder();
  await fill(folder);
  const flip = (name: string): void => {
    const bytes = readFileSync(join(folder, name));
    bytes[3] = (bytes[3] ?? 0) ^ 1;
    writeFileSync(join(folder, name), bytes);
  };
  flip("catalog.mark");
  const { log, lines } = listening();
  const store = await openFileStore(folder, { log });
  assert.match(lines.join(), /mark of the catalog is damaged/);
  writeFileSync(join(folder, "owner"), "\u0007rot");
  await assert.rejects(openFileStore(folder), { message: /process \(unknown\) has it open/ });
  await store.close();
  writeFileSync(join(folder, "lock"), "x".repeat(4096));
  await assert.rejects(openFileStore(folder), {
    code: "CORRUPT",
    message: /file "lock" is damaged/,
  });
  rmSync(join(folder, "lock"));
  await (await openFileStore(folder)).close();
});
