/**
 * Texts as a model sees them, each with the digest of its content. Texts of one content get the
 * same answer, or differ in case and white space only: one is not held out from the other.
 */
import type { Words } from "../entities/words.ts";
import type { Encoded, Tokenizer } from "../formats/formats.ts";
import { present } from "../foundation/assert.ts";
import { shortDigestOf } from "../foundation/digest.ts";
import { Pace } from "../foundation/pace.ts";

export interface EncodedContents {
  readonly ids: readonly Int32Array[];
  /** The words of each text, if they are asked for. */
  readonly words: readonly Words[] | undefined;
  readonly isTruncated: readonly boolean[];
  /** The digest of each text; see `shortDigestOf`. */
  readonly digests: Float64Array;
}

/** Texts that are encoded together: places of words come as lists of lists, on the main thread. */
const [chunkSize, wordChunkSize] = [2_048, 64];

export interface ContentOptions {
  readonly hasWords: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Rejects with the signal's reason. */
export async function encodeContents(
  tokenizer: Tokenizer,
  texts: readonly string[],
  { hasWords, signal }: ContentOptions,
): Promise<EncodedContents> {
  const folds = await foldsTexts(tokenizer);
  const pace = new Pace(signal);
  const ids: Int32Array[] = [];
  const words: Words[] = [];
  const isTruncated: boolean[] = [];
  const digests = new Float64Array(texts.length);
  const size = hasWords ? wordChunkSize : chunkSize;
  for (let start = 0; start < texts.length; start += size) {
    signal?.throwIfAborted();
    const chunk = texts.slice(start, start + size);
    const own = await (hasWords ? encodeWords(tokenizer, chunk, words) : tokenizer.encode(chunk));
    const folded = folds ? own : await tokenizer.encode(chunk.map(fold));
    await pace.each(chunk.length, (index) => {
      digests[start + index] = contentOf(present(folded.ids[index], "ids of each text"));
      ids.push(present(own.ids[index], "ids of each text"));
      isTruncated.push(own.isTruncated[index] ?? false);
    });
    if (pace.isDue) await pace.rest();
  }
  return { ids, words: hasWords ? words : undefined, isTruncated, digests };
}

/** Adds the words of the texts to `words`. */
async function encodeWords(
  tokenizer: Tokenizer,
  texts: readonly string[],
  words: Words[],
): Promise<Encoded> {
  const encoded = await tokenizer.encodeWords(texts);
  words.push(...encoded.words);
  return encoded;
}

/** The digest of a sequence of token ids. */
function contentOf(ids: Int32Array): number {
  return shortDigestOf(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength));
}

function fold(text: string): string {
  return text.toLowerCase().replaceAll(/\s+/g, " ").trim();
}

/** Whether the tokenizer itself makes one of texts that differ in case and white space. */
async function foldsTexts(tokenizer: Tokenizer): Promise<boolean> {
  const probe = " One  and\tTHE Other ";
  const [own, folded] = (await tokenizer.encode([probe, fold(probe)])).ids;
  return own?.join() === folded?.join();
}
