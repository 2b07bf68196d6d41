/**
 * The store without a disk, for tests and demonstrations. Bytes are copied in and out, as rows are,
 * so that a caller can change neither what is stored nor what another one reads.
 */
import { type Digest, digestInPieces } from "../../foundation/digest.ts";
import { limits } from "../../foundation/limits.ts";
import { BlobKeeper } from "../blob-keeper.ts";
import { blobMissing, checkedStream } from "../checks.ts";
import { KnownFaults } from "../known-faults.ts";
import type {
  BlobDriver,
  Quarantine,
  QuarantinedBlob,
  StoredBytes,
  StoreDriver,
} from "../storage.ts";
import { memoryCatalog } from "./memory-catalog.ts";

export function createMemoryStore(): StoreDriver {
  const [blobs, catalog] = [new MemoryBlobs(), memoryCatalog()];
  const { quarantine } = blobs;
  const keeper = new BlobKeeper({ blobs, quarantine, catalog });
  return { blobs, catalog, quarantine, keeper, async close() {} };
}

class MemoryBlobs implements BlobDriver {
  readonly #blobs = new Map<Digest, Uint8Array>();
  readonly #aside = new Map<Digest, { readonly bytes: Uint8Array; readonly sinceMs: number }>();
  readonly #faults = new KnownFaults();
  readonly quarantine: Quarantine = {
    add: async (digest, sinceMs) => {
      const bytes = this.#blobs.get(digest);
      if (bytes !== undefined) this.#aside.set(digest, { bytes, sinceMs });
      this.#blobs.delete(digest);
    },
    list: () => this.#listAside(),
    restore: async (digest) => this.#restore(digest),
    remove: async (digest) => void this.#aside.delete(digest),
  };

  get faults(): ReadonlyMap<Digest, string> {
    return this.#faults.all;
  }

  isWhole(digest: Digest): boolean {
    return this.#faults.isWhole(digest);
  }

  async put(bytes: Uint8Array, onDigest?: (digest: Digest) => Promise<void>): Promise<Digest> {
    const digest = await digestInPieces(bytes);
    await onDigest?.(digest);
    if (!this.#blobs.has(digest)) this.#blobs.set(digest, bytes.slice());
    this.#faults.forget(digest);
    return digest;
  }

  async putStream(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
    onDigest?: (digest: Digest) => Promise<void>,
  ): Promise<StoredBytes> {
    const held: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of checkedStream(chunks, bytesMax)) {
      bytes += chunk.length;
      held.push(chunk.slice());
    }
    return { digest: await this.put(Buffer.concat(held), onDigest), bytes };
  }

  get(digest: Digest): Promise<Uint8Array> {
    return this.#faults.noting(digest, this.#read(digest));
  }

  async #read(digest: Digest): Promise<Uint8Array> {
    this.#restore(digest);
    const bytes = this.#blobs.get(digest);
    if (bytes === undefined) throw blobMissing(digest);
    return bytes.slice();
  }

  async *stream(digest: Digest): AsyncIterable<Uint8Array> {
    const bytes = await this.get(digest);
    for (let start = 0; start < bytes.length; start += limits.blobPieceBytesMax)
      yield bytes.subarray(start, start + limits.blobPieceBytesMax);
  }

  async has(digest: Digest): Promise<boolean> {
    this.#restore(digest);
    return this.#blobs.has(digest);
  }

  async *list(): AsyncIterable<Digest> {
    yield* [...this.#blobs.keys()];
  }

  async remove(digest: Digest): Promise<void> {
    this.#blobs.delete(digest);
    this.#aside.delete(digest);
    this.#faults.forget(digest);
  }

  async *#listAside(): AsyncIterable<QuarantinedBlob> {
    for (const [digest, { sinceMs }] of [...this.#aside]) yield { digest, sinceMs };
  }

  #restore(digest: Digest): void {
    const aside = this.#aside.get(digest);
    if (aside !== undefined) this.#blobs.set(digest, aside.bytes);
    this.#aside.delete(digest);
  }
}
