/**
 * Tokenises texts of several requests in one call: a call's fixed cost is that of several short
 * texts.
 */
import type { Encoded, EncodedWords, Tokenizer } from "../formats/formats.ts";
import type { Words } from "../entities/words.ts";
import { Pace } from "../foundation/pace.ts";
import { soon } from "../foundation/turn.ts";

/** Texts whose words are told together: their places come as lists, on the main thread. */
const wordChunkCount = 16;

export class TokenizeQueue {
  readonly tokenizer: Tokenizer;
  readonly #plain: JoinedCalls<Encoded>;
  readonly #words: JoinedCalls<EncodedWords>;

  /** How many texts may wait is the engine's to say, which admits every request. */
  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
    this.#plain = new JoinedCalls({
      encode: (texts) => tokenizer.encode(texts),
      part: ({ ids, isTruncated }, from, until) => ({
        ids: ids.slice(from, until),
        isTruncated: isTruncated.slice(from, until),
      }),
    });
    this.#words = new JoinedCalls({
      encode: (texts) => wordsInChunks(tokenizer, texts),
      part: ({ ids, isTruncated, words }, from, until) => ({
        ids: ids.slice(from, until),
        isTruncated: isTruncated.slice(from, until),
        words: words.slice(from, until),
      }),
    });
  }

  encode(texts: readonly string[]): Promise<Encoded> {
    return this.#plain.add(texts);
  }

  /** The words of each text too. */
  encodeWords(texts: readonly string[]): Promise<EncodedWords> {
    return this.#words.add(texts);
  }
}

async function wordsInChunks(
  tokenizer: Tokenizer,
  texts: readonly string[],
): Promise<EncodedWords> {
  const pace = new Pace();
  const ids: Int32Array[] = [];
  const words: Words[] = [];
  const isTruncated: boolean[] = [];
  for (let start = 0; start < texts.length; start += wordChunkCount) {
    const chunk = await tokenizer.encodeWords(texts.slice(start, start + wordChunkCount));
    ids.push(...chunk.ids);
    words.push(...chunk.words);
    isTruncated.push(...chunk.isTruncated);
    if (pace.isDue) await pace.rest();
  }
  return { ids, words, isTruncated };
}

interface JoinedOptions<E> {
  encode(texts: readonly string[]): Promise<E>;
  /** What was encoded of the texts from … until - 1. */
  part(encoded: E, from: number, until: number): E;
}

interface Job<E> {
  readonly texts: readonly string[];
  resolve(encoded: E): void;
  reject(error: unknown): void;
}

/** Jobs of one moment, encoded together. */
class JoinedCalls<E> {
  readonly #options: JoinedOptions<E>;
  #jobs: Job<E>[] = [];
  #isDue = false;

  constructor(options: JoinedOptions<E>) {
    this.#options = options;
  }

  add(texts: readonly string[]): Promise<E> {
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

  async #encodeFor(jobs: readonly Job<E>[]): Promise<void> {
    const { encode, part } = this.#options;
    try {
      const encoded = await encode(jobs.flatMap(({ texts }) => texts));
      let start = 0;
      for (const { texts, resolve } of jobs) {
        resolve(part(encoded, start, start + texts.length));
        start += texts.length;
      }
    } catch (error) {
      if (jobs.length === 1) for (const { reject } of jobs) reject(error);
      // One request's text must not fail the others.
      else await Promise.all(jobs.map((job) => this.#encodeFor([job])));
    }
  }
}
