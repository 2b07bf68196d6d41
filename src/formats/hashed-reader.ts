/** A file that is read once, from front to back: what is hashed is what is used. */
import { type FileHandle, open } from "node:fs/promises";
import { type Digest, DigestStream } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";

const skippedBytesMax = 1 << 20;

export class HashedReader {
  /** Size of the whole file. */
  readonly bytes: number;
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #digest = new DigestStream();
  #at = 0;

  private constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path;
    this.#file = file;
    this.bytes = bytes;
  }

  static async open(path: string): Promise<HashedReader> {
    try {
      const file = await open(path);
      return new HashedReader(path, file, (await file.stat()).size);
    } catch (error) {
      throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
    }
  }

  /** The next bytes, in a buffer of their own. */
  async read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    try {
      for (let filled = 0; filled < count;) {
        const { bytesRead } = await this.#file.read(bytes, filled, count - filled, this.#at);
        if (bytesRead === 0)
          throw new StrataError("CORRUPT", `Cannot read "${this.#path}": it ends at ${this.#at}`);
        filled += bytesRead;
        this.#at += bytesRead;
      }
    } catch (error) {
      throw wrapError(error, "UNAVAILABLE", `Cannot read "${this.#path}"`);
    }
    this.#digest.update(bytes);
    return bytes;
  }

  /** Reads and drops the next bytes. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0;)
      left -= (await this.read(Math.min(left, skippedBytesMax))).length;
  }

  /** The digest of what was read; the reader ends with it. */
  digest(): Digest {
    return this.#digest.finish();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
