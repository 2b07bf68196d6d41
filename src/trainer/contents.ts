/**
 * Texts as a model sees them, each with the digest of its content. Texts of one content get the
 * same answer, or differ in case and white space only: one is not held out from the other.
 */
import type { Tokenizer } from "../formats/formats.ts";
import { present } from "../foundation/assert.ts";
import { shortDigestOf } from "../foundation/digest.ts";
import { Pace } from "../foundation/pace.ts";

export interface EncodedContents {
  readonly ids: readonly Int32Array[];
  /** Of each text; see `shortDigestOf`. */
  readonly digests: Float64Array;
}

/** Texts that are encoded together. */
const chunkSize = 2_048;

/** Rejects with the signal's reason. */
export async function encodeContents(
  tokenizer: Tokenizer,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<EncodedContents> {
  const folds = await foldsTexts(tokenizer);
  const pace = new Pace(signal);
  const ids: Int32Array[] = [];
  const digests = new Float64Array(texts.length);
  for (let start = 0; start < texts.length; start += chunkSize) {
    signal?.throwIfAborted();
    const chunk = texts.slice(start, start + chunkSize);
    const { ids: own } = await tokenizer.encode(chunk);
    const folded = folds ? own : (await tokenizer.encode(chunk.map(fold))).ids;
    await pace.each(chunk.length, (index) => {
      digests[start + index] = contentOf(present(folded[index], "ids of each text"));
      ids.push(present(own[index], "ids of each text"));
    });
  }
  return { ids, digests };
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
