/**
 * Keeps a blob that is about to be named by a row from being removed because the last other row
 * that named it has just been deleted, or because an equal upload has been refused. Owns the table
 * of holds: a blob is removed only while nobody holds it, and nobody gets hold of it while it is
 * being removed. A store has one, so that all who share its blobs see each other's holds.
 */
import type { Digest } from "../foundation/digest.ts";
import type { Blobs, Catalog, Holds, OnDigest } from "./storage.ts";

export class BlobHolds implements Holds {
  readonly #blobs: Blobs;
  readonly #catalog: Catalog;
  readonly #counts = new Map<Digest, number>();
  readonly #removals = new Map<Digest, Promise<void>>();

  constructor(blobs: Blobs, catalog: Catalog) {
    this.#blobs = blobs;
    this.#catalog = catalog;
  }

  put(bytes: Uint8Array): Promise<Digest> {
    return this.#holding((onDigest) => this.#blobs.put(bytes, onDigest));
  }

  putStream(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
  ): Promise<{ digest: Digest; bytes: number }> {
    return this.#holding((onDigest) => this.#blobs.putStream(chunks, bytesMax, onDigest));
  }

  async release(digest: Digest): Promise<void> {
    const count = this.#counts.get(digest) ?? 0;
    if (count > 1) this.#counts.set(digest, count - 1);
    else this.#counts.delete(digest);
    await this.removeUnused(digest);
  }

  async removeUnused(digest: Digest): Promise<void> {
    if (this.#counts.has(digest)) return;
    const before = this.#removals.get(digest) ?? Promise.resolve();
    const removal = before.then(() => this.#remove(digest)).catch(() => {});
    this.#removals.set(digest, removal);
    await removal;
    if (this.#removals.get(digest) === removal) this.#removals.delete(digest);
  }

  async #holding<T>(store: (onDigest: OnDigest) => Promise<T>): Promise<T> {
    let held: Digest | undefined;
    try {
      return await store(async (digest) => {
        await this.#hold(digest);
        held = digest;
      });
    } catch (error) {
      if (held !== undefined) await this.release(held);
      throw error;
    }
  }

  async #hold(digest: Digest): Promise<void> {
    for (;;) {
      const removal = this.#removals.get(digest);
      if (removal === undefined) break;
      await removal;
    }
    this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
  }

  async #remove(digest: Digest): Promise<void> {
    if ((await this.#catalog.system.countBlobUses(digest)) === 0) await this.#blobs.remove(digest);
  }
}
