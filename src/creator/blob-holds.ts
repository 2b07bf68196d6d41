/**
 * Keeps a blob that is about to be named by a version from being removed because the last other
 * version that named it has just been deleted. Owns the table of holds: a blob is removed only
 * while nobody holds it, and nobody gets hold of it while it is being removed.
 */
import { type Digest, digestOf } from "../foundation/digest.ts";
import type { Store } from "../storage/storage.ts";

export class BlobHolds {
  readonly #store: Store;
  readonly #counts = new Map<Digest, number>();
  readonly #removals = new Map<Digest, Promise<void>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Stores the bytes and holds them until `release`; when storing fails, nothing is held. */
  async put(bytes: Uint8Array): Promise<Digest> {
    const digest = digestOf(bytes);
    for (;;) {
      const removal = this.#removals.get(digest);
      if (removal === undefined) break;
      await removal.catch(() => {});
    }
    this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    try {
      return await this.#store.blobs.put(bytes);
    } catch (error) {
      await this.release(digest).catch(() => {});
      throw error;
    }
  }

  /** Lets go of the blob; the last one who does removes it if no version came to name it. */
  async release(digest: Digest): Promise<void> {
    const count = this.#counts.get(digest) ?? 0;
    if (count > 1) this.#counts.set(digest, count - 1);
    else this.#counts.delete(digest);
    await this.removeUnused(digest);
  }

  /** Removes the blob unless it is held or named. */
  async removeUnused(digest: Digest): Promise<void> {
    if (this.#counts.has(digest)) return;
    const before = this.#removals.get(digest) ?? Promise.resolve();
    const removal = before.catch(() => {}).then(() => this.#remove(digest));
    this.#removals.set(digest, removal);
    try {
      await removal;
    } finally {
      if (this.#removals.get(digest) === removal) this.#removals.delete(digest);
    }
  }

  async #remove(digest: Digest): Promise<void> {
    const { blobs, catalog } = this.#store;
    if ((await catalog.versions.countBlobUses(digest)) === 0) await blobs.remove(digest);
  }
}
