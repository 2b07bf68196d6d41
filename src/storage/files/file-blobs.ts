/**
 * Blobs as files `blobs/ab/abcdef…`. A blob is written to `incoming/`, synced, renamed and its
 * folder synced before it is acknowledged: whatever has a name in `blobs/` is complete, and what a
 * crash leaves in `incoming/` is removed when the folder is opened. The folder has one owner.
 */
import { join } from "node:path";
import { type Digest, digestInPieces, DigestStream } from "../../foundation/digest.ts";
import { wrapError } from "../../foundation/errors.ts";
import { Gate } from "../../foundation/gate.ts";
import { limits } from "../../foundation/limits.ts";
import { blobMissing, checkedPieces, checkedStream } from "../checks.ts";
import type { Blobs } from "../storage.ts";
import { SharedRuns } from "./concurrency.ts";
import type { FileOperations, FileReader, FileWriter } from "./file-operations.ts";

const folderNames = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Opens the blobs in `folder`, whose only owner the caller must be. */
export async function openFileBlobs(folder: string, files: FileOperations): Promise<Blobs> {
  const incoming = join(folder, "incoming");
  const blobs = join(folder, "blobs");
  await guard(`open store "${folder}"`, async () => {
    for (const path of [incoming, ...folderNames.map((name) => join(blobs, name))])
      await files.makeFolder(path);
    for (const name of await files.list(incoming)) await files.remove(join(incoming, name));
    // Also when they exist: a crash may have come between making and syncing them.
    await files.syncFolder(blobs);
    await files.syncFolder(folder);
  });
  return new FileBlobs(folder, files);
}

type OnDigest = (digest: Digest) => Promise<void>;

class FileBlobs implements Blobs {
  readonly #folder: string;
  readonly #files: FileOperations;
  readonly #gate = new Gate(limits.blobWriteCountMax);
  readonly #folderSyncs: SharedRuns;
  #incomingCount = 0;

  constructor(folder: string, files: FileOperations) {
    this.#folder = folder;
    this.#files = files;
    this.#folderSyncs = new SharedRuns((path) => files.syncFolder(path));
  }

  async put(bytes: Uint8Array, onDigest?: OnDigest): Promise<Digest> {
    const digest = await digestInPieces(bytes);
    await onDigest?.(digest);
    await guard(`store blob "${digest}"`, async () => {
      await this.#gate.run(async () => {
        if (await this.#files.exists(this.#path(digest))) return;
        await this.#receive(async (writer) => {
          await writer.write(bytes);
          return digest;
        });
      });
      // Also for a blob that was there: its first writer may not have come to this point yet.
      await this.#folderSyncs.run(this.#parent(digest));
    });
    return digest;
  }

  putStream(
    chunks: AsyncIterable<Uint8Array>,
    bytesMax: number,
    onDigest?: OnDigest,
  ): Promise<{ digest: Digest; bytes: number }> {
    return guard("store a stream", async () => {
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
      await this.#folderSyncs.run(this.#parent(digest));
      return { digest, bytes };
    });
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const file = await this.#open(digest);
    const whole = Buffer.allocUnsafeSlow(file.bytes);
    let bytes = 0;
    for await (const piece of checkedPieces(digest, piecesOf(file, whole))) bytes += piece.length;
    return whole.subarray(0, bytes);
  }

  async *stream(digest: Digest): AsyncIterable<Uint8Array> {
    yield* checkedPieces(digest, piecesOf(await this.#open(digest)));
  }

  has(digest: Digest): Promise<boolean> {
    return guard(`find blob "${digest}"`, () => this.#files.exists(this.#path(digest)));
  }

  async *list(): AsyncIterable<Digest> {
    for (const name of folderNames) {
      const path = join(this.#folder, "blobs", name);
      for (const file of await guard("list blobs", () => this.#files.list(path)))
        if (/^[0-9a-f]{64}$/.test(file)) yield `sha256:${file}`;
    }
  }

  async remove(digest: Digest): Promise<void> {
    await guard(`remove blob "${digest}"`, () => this.#files.remove(this.#path(digest)));
  }

  async #open(digest: Digest): Promise<FileReader> {
    const file = await guard(`read blob "${digest}"`, () => this.#files.open(this.#path(digest)));
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

  #parent(digest: Digest): string {
    const hexadecimal = digest.slice("sha256:".length);
    return join(this.#folder, "blobs", hexadecimal.slice(0, 2));
  }

  #path(digest: Digest): string {
    return join(this.#parent(digest), digest.slice("sha256:".length));
  }
}

/** The file's pieces, in buffers of their own or as parts of `whole`; closes it in the end. */
async function* piecesOf(file: FileReader, whole?: Uint8Array): AsyncIterable<Uint8Array> {
  try {
    for (let position = 0; position < file.bytes;) {
      const length = Math.min(limits.blobPieceBytesMax, file.bytes - position);
      const buffer = whole?.subarray(position, position + length) ?? Buffer.allocUnsafeSlow(length);
      const bytes = await guard("read a blob", () => file.read(buffer));
      if (bytes === 0) return;
      position += bytes;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    await guard("close a blob", () => file.close());
  }
}

async function guard<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", `Cannot ${action}`);
  }
}
