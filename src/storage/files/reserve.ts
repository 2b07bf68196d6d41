/**
 * Space that is kept for the day when the disk is full. Deleting needs space too: SQLite writes a
 * change down before it makes it. The reserve is a file of random bytes, which no file system can
 * store in less. It is given up when a deletion or a change of a row finds the disk full, and until
 * it is there again, whatever would grow the store is refused: the space is for what makes room.
 */
import { join } from "node:path";
import { limits } from "../../foundation/limits.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { diskFull, isDiskFull } from "./disk-errors.ts";
import type { FileOperations } from "./file-operations.ts";

export class Reserve {
  readonly #folder: string;
  readonly #path: string;
  readonly #files: FileOperations;
  readonly #bytes: number;
  #isHeld = false;
  #taking: Promise<boolean> | undefined;

  /** In `folder`, of `bytes`; with 0 there is none, and nothing is refused. */
  constructor(folder: string, options: { readonly files: FileOperations; readonly bytes: number }) {
    this.#folder = folder;
    this.#path = join(folder, "reserve");
    this.#files = options.files;
    this.#bytes = options.bytes;
  }

  /** Takes the space if there is enough of it; whether it is held now. */
  async take(): Promise<boolean> {
    if (this.#isHeld || this.#bytes === 0) return true;
    this.#taking ??= this.#take().finally(() => (this.#taking = undefined));
    return this.#taking;
  }

  /** To be called before the store grows: UNAVAILABLE while the reserve cannot be held. */
  async require(action: string): Promise<void> {
    if (!(await this.take())) throw diskFull(`Cannot ${action}`);
  }

  /** Gives the space up; whether there was any. */
  async spend(): Promise<boolean> {
    if (!this.#isHeld) return false;
    this.#isHeld = false;
    await this.#files.remove(this.#path);
    return true;
  }

  async #take(): Promise<boolean> {
    try {
      if (!(await this.#isThere())) {
        await this.#files.remove(this.#path);
        // Whoever asks again and again while the disk is full does not write each time.
        if ((await this.#files.freeBytes(this.#folder)) < this.#bytes) return false;
        await this.#write();
      }
      this.#isHeld = true;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      await this.#files.remove(this.#path);
    }
    return this.#isHeld;
  }

  async #isThere(): Promise<boolean> {
    const file = await this.#files.open(this.#path);
    await file?.close();
    return file?.bytes === this.#bytes;
  }

  async #write(): Promise<void> {
    const piece = new Uint32Array(limits.blobPieceBytesMax / Uint32Array.BYTES_PER_ELEMENT);
    const random = new SeededRandom(0);
    for (let index = 0; index < piece.length; index++) piece[index] = random.integer(2 ** 32);
    const writer = await this.#files.create(this.#path);
    try {
      for (let left = this.#bytes; left > 0; left -= piece.byteLength)
        await writer.write(new Uint8Array(piece.buffer, 0, Math.min(left, piece.byteLength)));
      await writer.sync();
    } finally {
      await writer.close();
    }
  }
}
