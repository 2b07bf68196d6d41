/**
 * Space that is kept for the day when the disk is full. Deleting needs space too: SQLite writes a
 * change down before it makes it. The reserve is a file of random bytes, which no file system can
 * store in less. It is given up when a deletion or a change of a row finds the disk full, and until
 * it is there again, whatever would grow the store is refused: the space is for what makes room.
 */
import { join } from "node:path";
import pLimit from "p-limit";
import { limits } from "../../foundation/limits.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { diskFull, isDiskFull } from "./disk-errors.ts";
import type { FileOperations } from "./file-operations.ts";

/** Less than this is not worth holding: a change of the catalog would not fit. */
const partBytesMin = 256 * 1024;
/** The file system takes some space for itself. */
const partOfFree = 0.9;

export class Reserve {
  readonly #folder: string;
  readonly #path: string;
  readonly #files: FileOperations;
  readonly #bytes: number;
  #heldBytes = 0;
  #taking: Promise<void> | undefined;
  /** Taking and giving up happen one after the other: both look at the file and then change it. */
  readonly #turns = pLimit(1);

  /** The reserve lies in `folder` and has `bytes`; with 0 there is none, and nothing is refused. */
  constructor(folder: string, options: { readonly files: FileOperations; readonly bytes: number }) {
    this.#folder = folder;
    this.#path = join(folder, "reserve");
    this.#files = options.files;
    this.#bytes = options.bytes;
  }

  /** Takes the space, or as much of it as there is; whether all of it is held now. */
  async take(): Promise<boolean> {
    if (this.#heldBytes === this.#bytes) return true;
    this.#taking ??= this.#turns(() => this.#take()).finally(() => (this.#taking = undefined));
    await this.#taking;
    return this.#heldBytes === this.#bytes;
  }

  /** The store asks before it grows: UNAVAILABLE while the reserve cannot be held. */
  async require(action: string): Promise<void> {
    if (!(await this.take())) throw diskFull(`Cannot ${action}`);
  }

  /** Gives the space up; whether there was any. */
  spend(): Promise<boolean> {
    return this.#turns(async () => {
      if (this.#heldBytes === 0) return false;
      this.#heldBytes = 0;
      await this.#files.remove(this.#path);
      return true;
    });
  }

  async #take(): Promise<void> {
    const file = await this.#files.open(this.#path);
    await file?.close();
    this.#heldBytes = file?.bytes ?? 0;
    if (this.#heldBytes === this.#bytes) return;
    const freeBytes = await this.#files.freeBytes(this.#folder);
    const isEnough = this.#heldBytes + freeBytes >= this.#bytes;
    // Whoever asks again and again while the disk is full does not write each time.
    if (!isEnough && (this.#heldBytes > 0 || freeBytes < partBytesMin)) return;
    this.#heldBytes = 0;
    await this.#files.remove(this.#path);
    const bytes = isEnough ? this.#bytes : Math.floor(freeBytes * partOfFree);
    try {
      await this.#write(bytes);
      this.#heldBytes = bytes;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await this.#files.remove(this.#path);
    }
  }

  async #write(bytes: number): Promise<void> {
    const piece = new Uint32Array(limits.blobPieceBytesMax / Uint32Array.BYTES_PER_ELEMENT);
    const random = new SeededRandom(0);
    for (let index = 0; index < piece.length; index++) piece[index] = random.integer(2 ** 32);
    const writer = await this.#files.create(this.#path);
    try {
      for (let left = bytes; left > 0; left -= piece.byteLength)
        await writer.write(new Uint8Array(piece.buffer, 0, Math.min(left, piece.byteLength)));
      await writer.sync();
    } finally {
      await writer.close();
    }
  }
}
