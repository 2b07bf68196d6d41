/**
 * What reading has found wrong with blobs, since the start of the process. Nothing is read for it:
 * whoever reads comes upon damage, and everybody can tell of it from then on.
 */
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";

/** The oldest give way: a disk that loses more has told enough, and what is whole stays so. */
const faultCountMax = 1_000;
const wholeCountMax = 50_000;

export class KnownFaults {
  readonly #faults = new Map<Digest, string>();
  /** Those that were read to their end and were right. */
  readonly #whole = new Set<Digest>();

  get all(): ReadonlyMap<Digest, string> {
    return this.#faults;
  }

  isWhole(digest: Digest): boolean {
    return this.#whole.has(digest);
  }

  /** The outcome of reading the whole blob, which is noted when it is damage. */
  async noting<T>(digest: Digest, reading: Promise<T>): Promise<T> {
    try {
      const read = await reading;
      this.#noteWhole(digest);
      return read;
    } catch (error) {
      throw this.#note(digest, error);
    }
  }

  /** The same of a stream; one that is given up early tells nothing. */
  async *notingEach<T>(digest: Digest, pieces: AsyncIterable<T>): AsyncIterable<T> {
    try {
      yield* pieces;
      this.#noteWhole(digest);
    } catch (error) {
      throw this.#note(digest, error);
    }
  }

  /** The blob is gone, or has been stored anew. */
  forget(digest: Digest): void {
    this.#faults.delete(digest);
    this.#whole.delete(digest);
  }

  #noteWhole(digest: Digest): void {
    this.#faults.delete(digest);
    this.#whole.add(digest);
    const [oldest] = this.#whole;
    if (this.#whole.size > wholeCountMax && oldest !== undefined) this.#whole.delete(oldest);
  }

  #note(digest: Digest, error: unknown): unknown {
    if (!(error instanceof StrataError) || error.code !== "CORRUPT") return error;
    this.#whole.delete(digest);
    this.#faults.set(digest, error.message);
    const [oldest] = this.#faults.keys();
    if (this.#faults.size > faultCountMax && oldest !== undefined) this.#faults.delete(oldest);
    return error;
  }
}
