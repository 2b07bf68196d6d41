/**
 * Tokenises texts of several requests in one call: a call's fixed cost is that of several short
 * texts.
 */
import type { Encoded, Tokenizer } from "../checkpoints/checkpoints.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

/** Thousands of short texts are tokenised in less. */
const retryAfterMs = 1_000;

interface Job {
  readonly texts: readonly string[];
  resolve(encoded: Encoded): void;
  reject(error: unknown): void;
}

export class TokenizeQueue {
  readonly tokenizer: Tokenizer;
  #jobs: Job[] = [];
  #isDue = false;
  /** Texts that wait or are being tokenised. */
  #textCount = 0;

  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** OVERLOADED when more texts would wait than the engine's queue takes. */
  async encode(texts: readonly string[]): Promise<Encoded> {
    if (this.#textCount + texts.length > limits.queueSequenceCountMax)
      throw new StrataError(
        "OVERLOADED",
        `Cannot tokenise ${texts.length} texts: ${this.#textCount} are waiting, the limit is ` +
          `${limits.queueSequenceCountMax}`,
        { retryAfterMs },
      );
    this.#textCount += texts.length;
    try {
      return await this.#enqueue(texts);
    } finally {
      this.#textCount -= texts.length;
    }
  }

  #enqueue(texts: readonly string[]): Promise<Encoded> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ texts, resolve, reject });
      if (this.#isDue) return;
      this.#isDue = true;
      // Errors reach the callers.
      setImmediate(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    const jobs = this.#jobs;
    this.#jobs = [];
    this.#isDue = false;
    try {
      const { ids, isTruncated } = await this.tokenizer.encode(jobs.flatMap(({ texts }) => texts));
      let start = 0;
      for (const { texts, resolve } of jobs) {
        const end = start + texts.length;
        resolve({ ids: ids.slice(start, end), isTruncated: isTruncated.slice(start, end) });
        start = end;
      }
    } catch (error) {
      for (const { reject } of jobs) reject(error);
    }
  }
}
