/** The file driver sits the exam, keeps what it has, and lets nobody else in. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { operator } from "../../entities/caller.ts";
import { digestOf } from "../../foundation/digest.ts";
import { limits } from "../../foundation/limits.ts";
import { exampleModel, exampleVersion, examineStore } from "../conformance.ts";
import { openFileStore } from "./file-store.ts";
import { openSqlite } from "./sqlite.ts";

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "strata-store-"));
  folders.push(folder);
  return folder;
};
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const reserveBytes = 4096;

examineStore("the file driver", () =>
  openFileStore(join(newFolder(), "not", "there", "yet"), { reserveBytes }),
);

describe("the file driver on the disk", () => {
  test("keeps everything over a restart", async () => {
    const folder = newFolder();
    const store = await openFileStore(folder);
    const digest = await store.blobs.put(Buffer.from("kept"));
    await store.catalog.of(operator).models.insert(exampleModel("a"));
    await store.catalog.of(operator).versions.insert(exampleVersion("a", 1), { isServed: true });
    await store.close();
    const again = await openFileStore(folder);
    assert.equal(Buffer.from(await again.blobs.get(digest)).toString(), "kept");
    assert.deepEqual(await again.catalog.of(operator).models.list({ limit: 10 }), [
      { ...exampleModel("a"), servedVersion: 1, versionCount: 1 },
    ]);
    assert.deepEqual(
      await again.catalog.of(operator).versions.get("vplm-a", 1),
      exampleVersion("a", 1),
    );
    await again.close();
  });

  test("who reads waits for no long transaction, and sees nothing of it", async () => {
    const store = await openFileStore(newFolder());
    const { models, versions } = store.catalog.of(operator);
    await models.insert(exampleModel("first"));
    const labels = Array.from({ length: 500 }, (_, index) => `${"l".repeat(100)} ${index}`);
    const rows = Array.from({ length: 150 }, (_, index) => ({
      model: { ...exampleModel(`${index}`), labels },
      version: { ...exampleVersion(`${index}`, 1), labels },
    }));
    const inserted = versions.insertWithModels(rows).then(() => "inserted");
    // It has begun by then, and rests between its rows.
    for (let turn = 0; turn < 4; turn++) await new Promise(setImmediate);
    const read = Promise.all([models.get("first"), models.get("0")]);
    assert.equal(await Promise.race([inserted, read.then(() => "read")]), "read");
    assert.deepEqual(await read, [exampleModel("first"), undefined]);
    await inserted;
    assert.equal((await models.get("0"))?.servedVersion, 1);
    await store.close();
  });

  test("opens its folders to their owner alone", async () => {
    const folder = join(newFolder(), "home", "store");
    await (await openFileStore(folder)).close();
    for (const path of [join(folder, ".."), folder, join(folder, "blobs")])
      assert.equal(statSync(path).mode & 0o777, 0o700, path);
  });

  test("a second opening is refused and names the process; the first goes on", async () => {
    const folder = newFolder();
    const store = await openFileStore(folder);
    const message = new RegExp(`process ${process.pid} has it open`);
    await assert.rejects(openFileStore(folder), { code: "CONFLICT", message });
    await store.blobs.put(Buffer.from("on"));
    await store.close();
    await (await openFileStore(folder)).close();
  });

  test("leftovers of a crash are removed when opened", async () => {
    const folder = newFolder();
    await (await openFileStore(folder)).close();
    writeFileSync(join(folder, "incoming", "7"), "half a bl");
    await (await openFileStore(folder)).close();
    assert.deepEqual(readdirSync(join(folder, "incoming")), []);
  });

  test("bytes that have rotted are CORRUPT", async () => {
    const folder = newFolder();
    const store = await openFileStore(folder);
    const digest = await store.blobs.put(Buffer.from("sound"));
    const name = digest.slice("sha256:".length);
    writeFileSync(join(folder, "blobs", name.slice(0, 2), name), "rotten");
    await assert.rejects(store.blobs.get(digest), { code: "CORRUPT" });
    await store.close();
  });

  test("a stream of bytes that have rotted lacks its last piece", async () => {
    const store = await openFileStore(newFolder());
    const folder = folders.at(-1) ?? "";
    const bytes = new Uint8Array(3 * limits.blobPieceBytesMax);
    const digest = await store.blobs.put(bytes);
    const name = digest.slice("sha256:".length);
    bytes[0] = 1;
    writeFileSync(join(folder, "blobs", name.slice(0, 2), name), bytes);
    let pieceCount = 0;
    const reading = async (): Promise<void> => {
      for await (const piece of store.blobs.stream(digest)) pieceCount += piece.length > 0 ? 1 : 0;
    };
    await assert.rejects(reading(), { code: "CORRUPT" });
    assert.equal(pieceCount, 2);
    await store.close();
  });

  test("large bytes are stored and read without stopping others", async () => {
    const store = await openFileStore(newFolder());
    const bytes = new Uint8Array(64 * 1024 * 1024);
    let [isDone, turnCount] = [false, 0];
    const turns = (async () => {
      for (; !isDone; turnCount += 1) await new Promise(setImmediate);
    })();
    const digest = await store.blobs.put(bytes);
    const turnsOfPut = turnCount;
    await store.blobs.get(digest);
    isDone = true;
    await turns;
    // Whoever hashes at once gives two turns or three.
    assert.ok(turnsOfPut > 100 && turnCount - turnsOfPut > 100, `${turnsOfPut}, ${turnCount}`);
    await store.close();
  });

  test("a catalog of a later schema is left alone", async () => {
    const folder = newFolder();
    await (await openFileStore(folder)).close();
    const sqlite = openSqlite(join(folder, "catalog.sqlite"));
    sqlite.pragma("user_version = 1000");
    sqlite.close();
    const message = /it has schema 1000, this program knows \d+; use a later Strata/;
    await assert.rejects(openFileStore(folder), { code: "UNSUPPORTED", message });
    // The failed opening holds no lock.
    await assert.rejects(openFileStore(folder), { code: "UNSUPPORTED" });
  });

  test("a folder that cannot be made is UNAVAILABLE", async () => {
    const path = join(newFolder(), "file");
    writeFileSync(path, "");
    await assert.rejects(openFileStore(path), {
      code: "UNAVAILABLE",
      message: /Cannot open store/,
    });
  });

  test("1,000 models take well under a second, in one durable transaction", async () => {
    const store = await openFileStore(newFolder());
    const rows = Array.from({ length: 1_000 }, (_, index) => ({
      model: exampleModel(`m${index}`),
      version: { ...exampleVersion(`m${index}`, 1), blob: digestOf(`${index}`) },
    }));
    const start = performance.now();
    await store.catalog.of(operator).versions.insertWithModels(rows);
    const elapsedMs = performance.now() - start;
    await store.close();
    assert.ok(elapsedMs < 1_000, `took ${elapsedMs} ms`);
  });
});
