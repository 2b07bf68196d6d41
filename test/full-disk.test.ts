/**
 * A disk that is really full: a small file system in memory, filled to its last block. What is
 * there is served and can be deleted, before and after a stop, and errors say what is the matter.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { operator } from "../src/entities/caller.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { exampleModel, exampleVersion } from "../src/storage/conformance.ts";
import { openFileStore } from "../src/storage/files/file-store.ts";
import type { Store } from "../src/storage/storage.ts";
import { ProgramFolder } from "./exam-program.ts";

const mounted: string[] = [];
after(() => {
  for (const folder of mounted) {
    assert.equal(spawnSync("umount", [folder]).status, 0);
    rmSync(folder, { recursive: true });
  }
});

/** A folder on a disk of its own; skips the test, saying so, where none can be mounted. */
function smallDisk(context: TestContext, mebibytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "strata-disk-"));
  const options = ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", folder];
  if (spawnSync("mount", options).status !== 0) {
    rmSync(folder, { recursive: true });
    context.skip("a file system can be mounted by root alone");
    return undefined;
  }
  mounted.push(folder);
  return folder;
}

/** Takes all space that is left. */
function fillUp(folder: string): void {
  const file = openSync(join(folder, "filler"), "a");
  try {
    for (;;) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    assert.match(String(error), /ENOSPC/);
  } finally {
    closeSync(file);
  }
}

const full = { code: "UNAVAILABLE", message: /the disk is full; delete models or files, or make/ };

async function add({ catalog, keeper }: Store, id: string): Promise<void> {
  await keeper.storing(async (storage) => {
    const blob = await storage.put(Buffer.alloc(100_000, id));
    const version = { ...exampleVersion(id, 1), blob, evidence: undefined };
    await catalog.of(operator).versions.insertWithModels([{ model: exampleModel(id), version }]);
  });
}

/** Adds rows until one is refused: the catalog's log may have room from before. */
async function fillCatalog({ catalog }: Store): Promise<void> {
  const { models } = catalog.of(operator);
  const added: string[] = [];
  const add = async (): Promise<void> => {
    while (added.length < 10_000) {
      const id = `late${added.length}`;
      await models.insert(exampleModel(id));
      added.push(id);
    }
  };
  await assert.rejects(add(), full);
  for (const id of added) assert.equal(await models.delete(id), true);
}

/** Reads, changes and deletes everything but the last model, then adds one. */
async function empty(store: Store): Promise<void> {
  const { blobs, catalog, keeper } = store;
  await assert.rejects(add(store, "late"), full);
  const stream = streamOf(Buffer.alloc(1_000));
  await assert.rejects(
    keeper.storing((storage) => storage.putStream(stream, 9_999)),
    full,
  );
  await fillCatalog(store);
  const models = await catalog.of(operator).models.list({ limit: 100 });
  for (const model of models.slice(0, -1)) {
    const [version] = await catalog.of(operator).versions.list(model.incarnation, { limit: 100 });
    assert.ok(version !== undefined);
    assert.equal((await blobs.get(version.blob)).length, 100_000);
    await catalog.of(operator).models.update({ ...model, createdAt: 2 });
    assert.equal(await catalog.of(operator).models.delete(model.id), true);
    await keeper.dropped([version.blob]);
    assert.equal(await blobs.has(version.blob), false);
  }
  assert.equal(await catalog.of(operator).models.count(), 1);
}

async function* streamOf(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  yield bytes;
}

for (const isStopped of [false, true])
  test(`a full disk is read and emptied${isStopped ? " after a stop" : ""}`, async (context) => {
    const folder = smallDisk(context, 24);
    if (folder === undefined) return;
    const path = join(folder, "store");
    let store = await openFileStore(path);
    for (let index = 0; index < 100; index++) await add(store, `m${index}`);
    if (isStopped) await store.close();
    fillUp(folder);
    if (isStopped) store = await openFileStore(path);
    await empty(store);
    // What was deleted makes room for the reserve, and then for what is new.
    rmSync(join(folder, "filler"));
    await add(store, "new");
    await store.close();
    store = await openFileStore(path);
    assert.deepEqual(
      (await store.catalog.of(operator).models.list({ limit: 9 })).map(({ id }) => id),
      ["m99", "new"],
    );
    await store.close();
  });

/** The program with all that it has on the disk, and a base. */
async function programOn(folder: string): Promise<ProgramFolder> {
  process.env["TMPDIR"] = folder;
  const program = await ProgramFolder.create();
  delete process.env["TMPDIR"];
  const source = `dir:${program.path}/tiny`;
  const pulled = await program.run(["base", "pull", "tiny", "--source", source]);
  assert.equal(pulled.status, 0, pulled.errors);
  return program;
}

test("a job that a full disk ends is told as failed, and why", async (context) => {
  const folder = smallDisk(context, 48);
  if (folder === undefined) return;
  const program = await programOn(folder);
  const texts = Array.from({ length: 3000 }, (_, index) => {
    const isLamp = index % 2 === 0;
    return JSON.stringify({
      text: isLamp ? `lamp ${index}` : `shade ${index}`,
      label: `${isLamp}`,
    });
  });
  const server = await program.serve();
  const { client } = program;
  const { id: file } = await client.uploadFile(Buffer.from(texts.join("\n")), "lamps.jsonl");
  const method = { type: "supervised", supervised: { hyperparameters: { n_epochs: 6 } } } as const;
  const job = await client.createJob({ model: "tiny", training_file: file, method });
  await program.firstStep(job.id);
  fillUp(folder);
  const ended = await client.waitForJob(job.id, { clock: systemClock, pollMs: 100 });
  assert.equal(ended.status, "failed");
  assert.match(ended.error?.message ?? "", /the disk is full/);
  await client.deleteFile(file);
  server.kill("SIGTERM");
  assert.deepEqual(await once(server, "exit"), [0, null]);
  await program.remove();
});

test("a server on a full disk answers and deletes, after a restart too", async (context) => {
  const folder = smallDisk(context, 48);
  if (folder === undefined) return;
  const program = await programOn(folder);
  const texts = ["lamp", "shade"].flatMap((word) =>
    Array.from({ length: 20 }, (_, index) =>
      JSON.stringify({ text: `${word} ${index}`, label: word }),
    ),
  );
  const lines = Buffer.from(texts.join("\n"));
  let server = await program.serve();
  const file = await program.client.uploadFile(lines, "lamps.jsonl");
  const spare = await program.client.uploadFile(lines.subarray(0, 500), "spare.jsonl");
  for (const id of ["a", "b", "c"])
    await program.client.createModel({ id, base: "tiny", training_file: file.id });
  const answer = async (model: string): Promise<string> =>
    JSON.stringify((await program.client.classify({ model, input: ["lamp"] })).data);
  const before = await answer("b");
  fillUp(folder);
  for (let round = 0; round < 2; round++) {
    const { client } = program;
    assert.equal(await answer("b"), before);
    const create = client.createModel({ id: "d", base: "tiny", labels: ["x", "y"] });
    await assert.rejects(create, { code: "UNAVAILABLE", message: /the disk is full/ });
    await assert.rejects(client.uploadFile(lines, "more.jsonl"), { message: /the disk is full/ });
    await client.deleteModel(round === 0 ? "a" : "c");
    if (round === 0) {
      await client.deleteFile(spare.id);
      server.kill("SIGTERM");
      assert.deepEqual(await once(server, "exit"), [0, null]);
      fillUp(folder);
      server = await program.serve();
    }
  }
  rmSync(join(folder, "filler"));
  await program.client.createModel({ id: "d", base: "tiny", labels: ["x", "y"] });
  assert.equal(await answer("b"), before);
  await program.remove();
});
