/**
 * Blobs as files `blobs/ab/abcdef…`. A blob is written to `incoming/`, synced, renamed and its
 * folder synced before it is acknowledged: whatever has a name in `blobs/` is complete, and what a
 * crash leaves in `incoming/` is removed when the folder is opened. What is set aside lies in
 * `quarantine/`. The folder has one owner.
 */
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import { type Digest, digestInPieces, DigestStream } from "../../foundation/digest.ts";
import { limits } from "../../foundation/limits.ts";
import { blobMissing, checkedPieces, checkedStream } from "../checks.ts";
import { KnownFaults } from "../known-faults.ts";
import type { BlobDriver, OnDigest, StoredBytes } from "../storage.ts";
import { SharedRuns } from "./concurrency.ts";
import { guardDisk } from "./disk-errors.ts";
import type { FileOperations, FileReader, FileWriter } from "./file-operations.ts";
import { FileQuarantine } from "./file-quarantine.ts";
import type { Reserve } from "./reserve.ts";

const folderNames = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export interface FileBlobParts {
  readonly blobs: BlobDriver;
  readonly quarantine: FileQuarantine;
}

export interface FileBlobOptions {
  readonly files: FileOperations;
  /** What is asked before the store grows. */
  readonly reserve: Reserve;
}

/** Opens the blobs in `folder`, whose only owner the caller must be. */
export async function openFileBlobs(
  folder: string,
  options: FileBlobOptions,
): Promise<FileBlobParts> {
  const { files } = options;
  const paths = { incoming: join(folder, "incoming"), quarantine: join(folder, "quarantine") };
  const blobs = join(folder, "blobs");
  return guardDisk(`open store "${folder}"`, async () => {
    const names = folderNames.map((name) => join(blobs, name));
    for (const path of [...Object.values(paths), ...names]) await files.makeFolder(path);
    for (const name of await files.list(paths.incoming))
      await files.remove(join(paths.incoming, name));
    // Also when they exist: a crash may have come between making and syncing them.
    await files.syncFolder(blobs);
    await files.syncFolder(folder);
    const pathOf = (digest: Digest): string => blobPath(folder, digest);
    const quarantine = await FileQuarantine.open(paths.quarantine, { files, pathOf });
    return { blobs: new FileBlobs(folder, { ...options, quarantine }), quarantine };
  });
}

class FileBlobs implements BlobDriver {
  readonly #folder: string;
  readonly #files: FileOperations;
  readonly #writes = pLimit(limits.blobWriteCountMax);
  readonly #folderSyncs: SharedRuns;
  readonly #quarantine: FileQuarantine;
  readonly #reserve: Reserve;
  readonly #faults = new KnownFaults();
  #incomingCount = 0;

  constructor(
    folder: string,
    { files, quarantine, reserve }: FileBlobOptions & { readonly quarantine: FileQuarantine },
  ) {
    this.#folder = folder;
    this.#files = files;
    this.#quarantine = quarantine;
    this.#reserve = reserve;
    this.#folderSyncs = new SharedRuns((path) => files.syncFolder(path));
  }

  get faults(): ReadonlyMap<Digest, string> {
    return this.#faults.all;
  }

  isWhole(digest: Digest): boolean {
    return this.#faults.isWhole(digest);
  }

  async put(bytes: Uint8Array, onDigest?: OnDigest): Promise<Digest> {
    const digest = await digestInPieces(bytes);
    await onDigest?.(digest);
    const action = `store blob "${digest}"`;
    await guardDisk(action, async () => {
      await this.#writes(async () => {
        if (await this.#isStored(digest, bytes)) return;
        await this.#reserve.require(action);
        await this.#receive(async (writer) => {
          await writer.write(bytes);
          return digest;
        });
      });
      // Also for a blob that was there: its first writer may not have come to this point yet.
      await this.#folderSyncs.run(dirname(this.#path(digest)));
    });
    this.#faults.forget(digest);
    return digest;
  }

  putStream(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
    onDigest?: OnDigest,
  ): Promise<StoredBytes> {
    const action = "store a stream";
    return guardDisk(action, async () => {
      await this.#reserve.require(action);
      let bytes = 0;
      const digest = await this.#receive(async (writer) => {
        const stream = new DigestStream();
        for await (const chunk of checkedStream(chunks, bytesMax)) {
          bytes += chunk.length;
          stream.update(chunk);
          await writer.write(chunk);
        }
        return stream.finish();
      }, onDigest);
      await this.#folderSyncs.run(dirname(this.#path(digest)));
      return { digest, bytes };
    });
  }

  get(digest: Digest): Promise<Uint8Array> {
    return this.#faults.noting(digest, this.#read(digest));
  }

  stream(digest: Digest): AsyncIterable<Uint8Array> {
    return this.#faults.notingEach(digest, this.#pieces(digest));
  }

  async #read(digest: Digest): Promise<Uint8Array> {
    const file = await this.#open(digest);
    const whole = Buffer.allocUnsafeSlow(file.bytes);
    let bytes = 0;
    for await (const piece of checkedPieces(digest, piecesOf(file, whole))) bytes += piece.length;
    return whole.subarray(0, bytes);
  }

  async *#pieces(digest: Digest): AsyncIterable<Uint8Array> {
    yield* checkedPieces(digest, piecesOf(await this.#open(digest)));
  }

  has(digest: Digest): Promise<boolean> {
    return guardDisk(`find blob "${digest}"`, async () => {
      if (this.#quarantine.has(digest)) await this.#quarantine.restore(digest);
      return this.#files.exists(this.#path(digest));
    });
  }

  async *list(): AsyncIterable<Digest> {
    for (const name of folderNames) {
      const path = join(this.#folder, "blobs", name);
      for (const file of await guardDisk("list blobs", () => this.#files.list(path)))
        if (/^[0-9a-f]{64}$/.test(file)) yield `sha256:${file}`;
    }
  }

  async remove(digest: Digest): Promise<void> {
    await guardDisk(`remove blob "${digest}"`, () => this.#files.remove(this.#path(digest)));
    await this.#quarantine.remove(digest);
    this.#faults.forget(digest);
  }

  /** Whether the blob is there with these bytes. One that has rotted is to be written again. */
  async #isStored(digest: Digest, bytes: Uint8Array): Promise<boolean> {
    const file = await this.#files.open(this.#path(digest));
    if (file === undefined) return false;
    let position = 0;
    try {
      for await (const piece of piecesOf(file)) {
        const same = bytes.subarray(position, position + piece.length);
        if (Buffer.compare(piece, same) !== 0) return false;
        position += piece.length;
      }
    } catch {
      return false; // What cannot be read has rotted too.
    }
    return position === bytes.length;
  }

  async #open(digest: Digest): Promise<FileReader> {
    const file = await guardDisk(`read blob "${digest}"`, async () => {
      const path = this.#path(digest);
      const found = await this.#files.open(path);
      if (found !== undefined || !this.#quarantine.has(digest)) return found;
      await this.#quarantine.restore(digest);
      return this.#files.open(path);
    });
    if (file === undefined) throw blobMissing(digest);
    return file;
  }

  /** Writes a file under a passing name, then gives it the name that `fill` returns. */
  async #receive(
    fill: (writer: FileWriter) => Promise<Digest>,
    onDigest?: OnDigest,
  ): Promise<Digest> {
    this.#incomingCount += 1;
    const path = join(this.#folder, "incoming", String(this.#incomingCount));
    try {
      const writer = await this.#files.create(path);
      let digest: Digest;
      try {
        digest = await fill(writer);
        await writer.sync();
      } finally {
        await writer.close();
      }
      await onDigest?.(digest);
      await this.#files.rename(path, this.#path(digest));
      return digest;
    } catch (error) {
      // When this fails too, the next opening removes the file.
      await this.#files.remove(path).catch(() => {});
      throw error;
    }
  }

  #path(digest: Digest): string {
    return blobPath(this.#folder, digest);
  }
}

function blobPath(folder: string, digest: Digest): string {
  const hexadecimal = digest.slice("sha256:".length);
  return join(folder, "blobs", hexadecimal.slice(0, 2), hexadecimal);
}

/** The file's pieces, in buffers of their own or as parts of `whole`; closes it in the end. */
async function* piecesOf(file: FileReader, whole?: Uint8Array): AsyncIterable<Uint8Array> {
  try {
    for (let position = 0; position < file.bytes;) {
      const length = Math.min(limits.blobPieceBytesMax, file.bytes - position);
      const buffer = whole?.subarray(position, position + length) ?? Buffer.allocUnsafeSlow(length);
      const bytes = await guardDisk("read a blob", () => file.read(buffer));
      if (bytes === 0) return;
      position += bytes;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    await guardDisk("close a blob", () => file.close());
  }
}
