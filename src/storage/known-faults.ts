/**
 * What reading has found wrong with blobs, since the start of the process. Nothing is read for it:
 * whoever reads comes upon damage, and everybody can tell of it from then on.
 */
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";

/** The oldest give way: a disk that loses more has told enough. */
const faultCountMax = 1_000;

export class KnownFaults {
  readonly #faults = new Map<Digest, string>();

  get all(): ReadonlyMap<Digest, string> {
    return this.#faults;
  }

  /** The outcome of reading the whole blob, which is noted when it is damage. */
  async noting<T>(digest: Digest, reading: Promise<T>): Promise<T> {
    try {
      const read = await reading;
      this.forget(digest);
      return read;
    } catch (error) {
      throw this.#note(digest, error);
    }
  }

  /** The same of a stream; one that is given up early tells nothing. */
  async *notingEach<T>(digest: Digest, pieces: AsyncIterable<T>): AsyncIterable<T> {
    try {
      yield* pieces;
      this.forget(digest);
    } catch (error) {
      throw this.#note(digest, error);
    }
  }

  /** The blob is gone, or has been stored anew. */
  forget(digest: Digest): void {
    this.#faults.delete(digest);
  }

  #note(digest: Digest, error: unknown): unknown {
    if (!(error instanceof StrataError) || error.code !== "CORRUPT") return error;
    this.#faults.set(digest, error.message);
    const [oldest] = this.#faults.keys();
    if (this.#faults.size > faultCountMax && oldest !== undefined) this.#faults.delete(oldest);
    return error;
  }
}
