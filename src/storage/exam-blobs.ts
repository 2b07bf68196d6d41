/** The part of the exam of every `Store` that asks about its blobs and who holds them. */
import assert from "node:assert/strict";
import { operator } from "../entities/caller.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import { type Digest, digestOf } from "../foundation/digest.ts";
import { limits } from "../foundation/limits.ts";
import type { Blobs, StoreDriver } from "./storage.ts";

export type Examine = (title: string, work: (store: StoreDriver) => Promise<void>) => void;

export function examineBlobs(examine: Examine): void {
  examine("blobs come back by digest, and are gone once removed", async ({ blobs }) => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    const digest = await blobs.put(bytes);
    assert.equal(digest, digestOf(bytes));
    bytes.fill(0);
    assert.equal(digestOf(await blobs.get(digest)), digest);
    assert.equal(await blobs.has(digest), true);
    await blobs.remove(digest);
    await blobs.remove(digest);
    assert.equal(await blobs.has(digest), false);
    await assert.rejects(blobs.get(digest), { code: "CORRUPT" });
  });
  examine("what reading finds wrong is known until it is mended or gone", async ({ blobs }) => {
    const bytes = Buffer.from("to be missed");
    const digest = digestOf(bytes);
    const read = async (): Promise<void> => {
      for await (const _ of blobs.stream(digest));
    };
    assert.equal(blobs.faults.size, 0);
    await assert.rejects(read(), { code: "CORRUPT" });
    assert.match(blobs.faults.get(digest) ?? "", /^Cannot read blob .*there is none$/);
    await blobs.put(bytes);
    assert.equal(blobs.faults.size, 0);
    assert.ok(!blobs.isWhole(digest));
    await read();
    assert.ok(blobs.isWhole(digest));
    await blobs.remove(digest);
    assert.ok(!blobs.isWhole(digest));
    await assert.rejects(blobs.get(digest), { code: "CORRUPT" });
    assert.equal(blobs.faults.size, 1);
    await blobs.remove(digest);
    assert.equal(blobs.faults.size, 0);
  });
  examine("many blobs are put at once, the same ones too", async ({ blobs }) => {
    const texts = Array.from({ length: 300 }, (_, index) => `blob ${index % 100}`);
    await Promise.all(texts.map((text) => blobs.put(Buffer.from(text))));
    const listed = await digestsOf(blobs);
    assert.deepEqual(
      listed.toSorted(),
      [...new Set(texts)].map((text) => digestOf(text)).toSorted(),
    );
    for (const text of texts)
      assert.equal(Buffer.from(await blobs.get(digestOf(text))).toString(), text);
  });
}

export function examineQuarantine(examine: Examine): void {
  examine("a blob that is set aside is found by who asks for it", async (store) => {
    const { blobs, quarantine } = store;
    const digest = await blobs.put(Buffer.from("aside"));
    const ways: readonly (() => Promise<unknown>)[] = [
      () => blobs.get(digest),
      () => blobs.has(digest),
      () => blobs.put(Buffer.from("aside")),
      () => quarantine.restore(digest),
      () => Promise.all([blobs.get(digest), blobs.has(digest), blobs.get(digest)]),
    ];
    for (const [index, way] of ways.entries()) {
      await quarantine.add(digest, index);
      assert.deepEqual(await digestsOf(blobs), []);
      for await (const aside of quarantine.list())
        assert.deepEqual(aside, { digest, sinceMs: index });
      await way();
      assert.deepEqual(await digestsOf(blobs), [digest], `way ${index}`);
      assert.equal(Buffer.from(await blobs.get(digest)).toString(), "aside");
    }
    await quarantine.add(digest, 9);
    await blobs.remove(digest);
    assert.equal(await blobs.has(digest), false);
    await quarantine.remove(digest);
  });
}

export function examineStreams(examine: Examine): void {
  examine("blobs are read in bounded pieces", async ({ blobs }) => {
    const { blobPieceBytesMax } = limits;
    for (const length of [0, 1, blobPieceBytesMax, 3 * blobPieceBytesMax + 7]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31) % 251);
      const digest = await blobs.put(bytes);
      assert.equal(digest, digestOf(bytes));
      const pieces: Uint8Array[] = [];
      for await (const piece of blobs.stream(digest)) pieces.push(piece);
      assert.ok(Buffer.concat(pieces).equals(bytes), `${length} bytes`);
      assert.ok(Buffer.from(await blobs.get(digest)).equals(bytes), `${length} bytes`);
      assert.ok(pieces.every((piece) => piece.length > 0 && piece.length <= blobPieceBytesMax));
    }
    const started: unknown[] = [];
    const reading = async (): Promise<void> => {
      for await (const piece of blobs.stream(digestOf("absent"))) started.push(piece);
    };
    await assert.rejects(reading(), { code: "CORRUPT" });
    assert.deepEqual(started, []);
  });
  examine("streams are stored up to their limit", async ({ blobs }) => {
    const stored = await blobs.putStream(chunked(["ab", "", "c"]), 3);
    assert.deepEqual(stored, { digest: digestOf("abc"), bytes: 3 });
    assert.equal(Buffer.from(await blobs.get(stored.digest)).toString(), "abc");
    await assert.rejects(blobs.putStream(chunked(["ab", "cd"]), 3), { code: "TOO_LARGE" });
    const broken = blobs.putStream(chunked(["a", new Error("gone")]), 3);
    await assert.rejects(broken, { code: "UNAVAILABLE", message: /gone/ });
    assert.deepEqual(await digestsOf(blobs), [stored.digest]);
  });
}

export function examineKeeper(examine: Examine): void {
  const bytes = Buffer.from("twin");
  const twin = digestOf("twin");
  const row = (id: string): TrainingFile => ({ ...exampleFile(id), blob: twin });
  examine("a blob that is held outlives a refused twin", async ({ blobs, catalog, keeper }) => {
    const { files } = catalog.of(operator);
    await keeper.storing(async (storage) => {
      const refused = keeper.storing(async (other) => {
        await Promise.all([storage.put(bytes), other.putStream(chunked(["tw", "in"]), 4)]);
        throw new Error("refused");
      });
      await assert.rejects(refused, /refused/);
      await keeper.dropped([twin]);
      assert.equal(await blobs.has(twin), true);
      await files.insert(row("f"));
    });
    assert.equal(await blobs.has(twin), true);
    await files.delete(row("f").id);
    await keeper.dropped([twin]);
    assert.equal(await blobs.has(twin), false);
  });
  examine("a stream outlives a twin that is deleted at any moment", async (store) => {
    const { blobs, catalog, keeper } = store;
    const { files } = catalog.of(operator);
    for (let lead = 0; lead < 12; lead++) {
      await keeper.storing(async (storage) =>
        files.insert({ ...row("old"), blob: await storage.put(bytes) }),
      );
      const storing = keeper.storing(async (storage) => {
        const { digest } = await storage.putStream(chunked(["tw", "in"]), 4);
        await files.insert({ ...row("new"), blob: digest });
      });
      for (let step = 0; step < lead; step++) await new Promise(setImmediate);
      await files.delete(row("old").id);
      await keeper.dropped([twin]);
      await storing;
      assert.equal(Buffer.from(await blobs.get(twin)).toString(), "twin", `lead ${lead}`);
      await files.delete(row("new").id);
      await keeper.dropped([twin]);
    }
    assert.deepEqual(await digestsOf(blobs), []);
  });
  examine("nothing stays of work that fails, or that names nothing", async ({ blobs, keeper }) => {
    const long = keeper.storing((storage) => storage.putStream(chunked(["tw", "in"]), 3));
    await assert.rejects(long, { code: "TOO_LARGE" });
    assert.equal(await keeper.storing((storage) => storage.put(bytes)), twin);
    const failing = keeper.storing(async (storage) => {
      // One is stored, one is on its way when the work fails.
      await storage.put(Buffer.from("one"));
      void storage.put(Buffer.from("two"));
      throw new Error("failed");
    });
    await assert.rejects(failing, /failed/);
    assert.deepEqual(await digestsOf(blobs), []);
  });
}

export function exampleFile(id: string): TrainingFile {
  const row = { filename: "a b.jsonl", purpose: "fine-tune", bytes: 536_870_912, createdAt: 1 };
  const faultSummary = id === "a" ? "line 3: text is empty" : undefined;
  const task = id === "a" ? "text-classification" : undefined;
  return { id: `file-${id}`, blob: digestOf(id), task, faultSummary, ...row };
}

export async function digestsOf(blobs: Blobs): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for await (const digest of blobs.list()) digests.push(digest);
  return digests;
}

async function* chunked(parts: readonly (string | Error)[]): AsyncIterable<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}
