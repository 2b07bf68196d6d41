/**
 * Tokenises texts of several requests in one call: a call's fixed cost is that of several short
 * texts.
 */
import type { Encoded, Tokenizer } from "../formats/formats.ts";
import { soon } from "../foundation/turn.ts";

interface Job {
  readonly texts: readonly string[];
  resolve(encoded: Encoded): void;
  reject(error: unknown): void;
}

export class TokenizeQueue {
  readonly tokenizer: Tokenizer;
  #jobs: Job[] = [];
  #isDue = false;

  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** How many texts may wait is the engine's to say, which admits every request. */
  encode(texts: readonly string[]): Promise<Encoded> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ texts, resolve, reject });
      if (this.#isDue) return;
      this.#isDue = true;
      // Errors reach the callers.
      soon(() => void this.#flush());
    });
  }

  async #flush(): Promise<void> {
    const jobs = this.#jobs;
    this.#jobs = [];
    this.#isDue = false;
    await this.#encodeFor(jobs);
  }

  async #encodeFor(jobs: readonly Job[]): Promise<void> {
    try {
      const { ids, isTruncated } = await this.tokenizer.encode(jobs.flatMap(({ texts }) => texts));
      let start = 0;
      for (const { texts, resolve } of jobs) {
        const end = start + texts.length;
        resolve({ ids: ids.slice(start, end), isTruncated: isTruncated.slice(start, end) });
        start = end;
      }
    } catch (error) {
      if (jobs.length === 1) for (const { reject } of jobs) reject(error);
      // One request's text must not fail the others.
      else await Promise.all(jobs.map((job) => this.#encodeFor([job])));
    }
  }
}
