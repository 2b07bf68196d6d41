import assert from "node:assert/strict";
import { test } from "node:test";
import { operator } from "../entities/caller.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import { systemClock } from "../foundation/clock.ts";
import { digestOf } from "../foundation/digest.ts";
import { systemIds } from "../foundation/random.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { StoreDriver } from "../storage/storage.ts";
import type { Files } from "./files.ts";
import { createFiles } from "./store-files.ts";

const usable = "text,label\na,x\nb,y\n,z\n";

function opened(): { readonly store: StoreDriver; readonly files: Files } {
  const store = createMemoryStore();
  return { store, files: createFiles({ store, clock: systemClock, ids: systemIds }) };
}

function accept(files: Files, content: string, purpose = "fine-tune"): Promise<TrainingFile> {
  return files.accept(operator, {
    receive: async (store) => {
      const stored = await store(chunksOf(content));
      return { ...stored, filename: "a.csv", purpose };
    },
    within: (check) => check(new AbortController().signal),
  });
}

async function* chunksOf(content: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(content);
}

async function blobCount({ blobs }: StoreDriver): Promise<number> {
  let count = 0;
  for await (const _ of blobs.list()) count += 1;
  return count;
}

test("an upload is checked, named and read again as it was checked", async () => {
  const { files } = opened();
  const row = await accept(files, usable);
  assert.match(row.faultSummary ?? "", /^1 of 3 rows cannot be used: line 4: text is empty/);
  assert.equal(row.task, "text-classification");
  assert.deepEqual(await files.get(operator, row.id), row);
  const wanted = { id: row.id, field: "training_file" };
  const { file, dataset } = await files.read(operator, wanted);
  assert.deepEqual(file, row);
  assert.deepEqual([dataset.labels, dataset.faultCount], [["x", "y"], 1]);
  const pieces: Uint8Array[] = [];
  for await (const piece of (await files.content(operator, row.id)).bytes) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), usable);
});

test("what is refused leaves neither row nor bytes, whatever refuses it", async () => {
  const { store, files } = opened();
  await assert.rejects(accept(files, "text,label\n"), { code: "INVALID_ARGUMENT", field: "file" });
  const late = files.accept(operator, {
    receive: async (take) => {
      const stored = await take(chunksOf(usable));
      return { ...stored, filename: "a.csv", purpose: "fine-tune" };
    },
    within: () => Promise.reject(new Error("too late")),
  });
  await assert.rejects(late, /too late/);
  const broken = files.accept(operator, {
    receive: async (take) => {
      await take(chunksOf(usable));
      throw new Error("a second part");
    },
    within: (check) => check(new AbortController().signal),
  });
  await assert.rejects(broken, /a second part/);
  assert.equal(await blobCount(store), 0);
  assert.deepEqual(await files.list(operator, { limit: 9 }), []);
});

test("bytes leave with the last file that has them", async () => {
  const { store, files } = opened();
  const [one, other] = [await accept(files, usable), await accept(files, usable, "user_data")];
  assert.deepEqual([other.faultSummary, other.task], [undefined, undefined]);
  await files.delete(operator, one.id);
  assert.equal(await blobCount(store), 1);
  await files.delete(operator, other.id);
  assert.equal(await blobCount(store), 0);
  const field = { field: "training_file" };
  for (const call of [
    files.get(operator, one.id, "training_file"),
    files.read(operator, { id: one.id, ...field }),
  ])
    await assert.rejects(call, { code: "NOT_FOUND", ...field });
});

test("bytes that are gone are damage, unless the file was deleted meanwhile", async () => {
  const { store, files } = opened();
  const { id } = await accept(files, usable);
  await store.blobs.remove(digestOf(usable));
  await assert.rejects(files.content(operator, id), { code: "CORRUPT" });
  await assert.rejects(files.read(operator, { id, field: "f" }), { code: "CORRUPT" });
  // Deleted in between: the row was read before, the bytes are asked for after.
  const reading = files.read(operator, { id, field: "f" });
  await store.catalog.of(operator).files.delete(id);
  await assert.rejects(reading, { code: "NOT_FOUND", field: "f" });
});
