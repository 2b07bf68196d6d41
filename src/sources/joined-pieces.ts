/** Files that are read as one, without being put together on the disk. */
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { callbackify } from "node:util";
import { RandomAccessReader } from "yauzl";
import { StrataError, wrapError } from "../foundation/errors.ts";

interface Piece {
  readonly file: FileHandle;
  /** The place in the whole at which it begins. */
  readonly begin: number;
  readonly bytes: number;
}

const chunkBytes = 256 * 1024;

export class JoinedPieces extends RandomAccessReader {
  readonly #pieces: Piece[] = [];
  #bytes = 0;

  /** NOT_FOUND when a piece is not there. */
  static async open(paths: readonly string[]): Promise<JoinedPieces> {
    const joined = new JoinedPieces();
    try {
      for (const path of paths) await joined.#add(path);
      return joined;
    } catch (error) {
      await joined.release();
      throw wrapError(error, "NOT_FOUND", `Cannot read "${paths.join(", ")}"`);
    }
  }

  /** How many there are of all pieces together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Closes the files. */
  async release(): Promise<void> {
    for (const { file } of this.#pieces) await file.close();
  }

  /** The bytes from `start` up to `end`, which is not among them. */
  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#chunks(start, end), { objectMode: false });
  }

  override read(...[buffer, offset, length, position, callback]: ReadArguments): void {
    const target = buffer.subarray(offset, offset + length);
    callbackify(() => this.#fill(target, position))(callback);
  }

  async #add(path: string): Promise<void> {
    const file = await open(path);
    const { size: bytes } = await file.stat();
    this.#pieces.push({ file, begin: this.#bytes, bytes });
    this.#bytes += bytes;
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += chunkBytes) {
      const chunk = Buffer.alloc(Math.min(chunkBytes, end - at));
      await this.#fill(chunk, at);
      yield chunk;
    }
  }

  /** Reads as many bytes as `target` holds, from `position` of the whole. */
  async #fill(target: Buffer, position: number): Promise<void> {
    let filled = 0;
    for (const { file, begin, bytes } of this.#pieces) {
      const at = position + filled - begin;
      if (at < 0 || at >= bytes) continue;
      const count = Math.min(target.length - filled, bytes - at);
      const { bytesRead } = await file.read(target, filled, count, at);
      filled += bytesRead;
      if (bytesRead < count) break;
    }
    if (filled < target.length)
      throw new StrataError("CORRUPT", `Cannot read ${target.length} bytes at ${position}`);
  }
}

type ReadArguments = Parameters<RandomAccessReader["read"]>;
