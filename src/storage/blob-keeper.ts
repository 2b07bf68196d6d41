/**
 * The keeper of a store's blobs. It keeps a blob that is about to be named by a row from being
 * removed because the last other row that named it has just been deleted, or because an equal
 * upload has been refused. It owns the table of holds: a blob is removed only while nobody holds
 * it, and nobody gets hold of it while it is being removed. A store has one keeper, so that all who
 * share its blobs see each other's holds.
 */
import type { Digest } from "../foundation/digest.ts";
import { Pace } from "../foundation/pace.ts";
import type { BlobWriter, Keeper, Sweep } from "./storage.ts";
import { sweepBlobs, type KeptParts } from "./sweep.ts";

export class BlobKeeper implements Keeper {
  readonly #parts: KeptParts;
  readonly #counts = new Map<Digest, number>();
  readonly #removals = new Map<Digest, Promise<void>>();

  constructor(parts: KeptParts) {
    this.#parts = parts;
  }

  async storing<T>(work: (storage: BlobWriter) => Promise<T>): Promise<T> {
    const held: Digest[] = [];
    const pending = new Set<Promise<unknown>>();
    const until = <R>(stored: Promise<R>): Promise<R> => {
      pending.add(stored);
      void stored.catch(() => {}).finally(() => pending.delete(stored));
      return stored;
    };
    const onDigest = async (digest: Digest): Promise<void> => {
      await this.#hold(digest);
      held.push(digest);
    };
    const { blobs } = this.#parts;
    try {
      return await work({
        put: (bytes) => until(blobs.put(bytes, onDigest)),
        putStream: (chunks, bytesMax) => until(blobs.putStream(chunks, bytesMax, onDigest)),
      });
    } finally {
      // Work that has failed may have left some on their way.
      await Promise.allSettled(pending);
      await this.#letGo(held);
    }
  }

  async dropped(digests: readonly Digest[]): Promise<void> {
    for (const digest of digests) await this.#removeUnused(digest);
  }

  sweep(nowMs: number): Promise<Sweep> {
    return sweepBlobs(this.#parts, nowMs);
  }

  async #letGo(held: readonly Digest[]): Promise<void> {
    const pace = new Pace();
    for (const digest of held) {
      const count = this.#counts.get(digest) ?? 0;
      if (count > 1) this.#counts.set(digest, count - 1);
      else this.#counts.delete(digest);
      await this.#removeUnused(digest);
      if (pace.isDue) await pace.rest();
    }
  }

  async #removeUnused(digest: Digest): Promise<void> {
    if (this.#counts.has(digest)) return;
    const before = this.#removals.get(digest) ?? Promise.resolve();
    const removal = before.then(() => this.#remove(digest)).catch(() => {});
    this.#removals.set(digest, removal);
    await removal;
    if (this.#removals.get(digest) === removal) this.#removals.delete(digest);
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
    const { blobs, catalog } = this.#parts;
    if ((await catalog.system.countBlobUses(digest)) === 0) await blobs.remove(digest);
  }
}
