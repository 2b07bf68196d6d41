/** Batches of texts in the form that a hierarchical base's graphs read. */
import type { Random } from "../foundation/random.ts";
import { ngramSize } from "../models/hierarchy.ts";
import type { Value } from "../runtime/runtime.ts";

/** Shares of the distinct tri-grams of a batch whose neighbours are hidden by pads. */
export interface NgramMasking {
  /** (0, b, c) instead of (a, b, c). */
  readonly rightBigramShare: number;
  /** (a, b, 0) instead of (a, b, c). */
  readonly leftBigramShare: number;
  /** (0, b, 0) instead of (a, b, c). */
  readonly unigramShare: number;
}

const [left, middle, right] = [0, 1, 2] as const;

/**
 * `ids`, `lengths`, the distinct tri-grams as `ngrams` and each token's rows of their slots as
 * `indices`. With masking, tri-grams are seen as the back-off of a lookup table would see them.
 */
export function ngramFeeds(
  sequences: readonly Int32Array[],
  masking?: { readonly shares: NgramMasking; readonly random: Random },
): Record<string, Value> {
  const count = sequences.length;
  const sequence = sequences.reduce((longest, { length }) => Math.max(longest, length), 1);
  const ids = new Int32Array(count * sequence);
  const indices = new Int32Array(count * sequence * ngramSize).fill(-1);
  const numbers = new Map<string, number>();
  const ngrams: number[] = [];
  const numberOf = (ngram: readonly [number, number, number]): number => {
    const key = ngram.join();
    const known = numbers.get(key);
    if (known !== undefined) return known;
    ngrams.push(...(masking === undefined ? ngram : masked(ngram, masking)));
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  };
  for (const [row, tokens] of sequences.entries()) {
    const start = row * sequence;
    ids.set(tokens, start);
    const last = tokens.length - 1;
    for (const [place, token] of tokens.entries()) {
      const slots = numberOf([tokens[place - 1] ?? 0, token, tokens[place + 1] ?? 0]) * ngramSize;
      const at = (start + place) * ngramSize;
      indices[at] = slots + middle;
      // The token is the right one of the tri-gram before it, and the left one of the next.
      if (place < last) indices[at + ngramSize + 2] = slots + right;
      if (place > 0) indices[at - ngramSize + 1] = slots + left;
    }
  }
  const lengths = BigInt64Array.from(sequences, ({ length }) => BigInt(length));
  const shape = [count, sequence];
  return {
    ids: { type: "int32", shape, values: ids },
    lengths: { type: "int64", shape: [count], values: lengths },
    ngrams: {
      type: "int32",
      shape: [numbers.size, ngramSize],
      values: Int32Array.from(ngrams),
    },
    indices: { type: "int32", shape: [...shape, ngramSize], values: indices },
  };
}

function masked(
  ngram: readonly [number, number, number],
  { shares, random }: { readonly shares: NgramMasking; readonly random: Random },
): readonly [number, number, number] {
  const [previous, token, next] = ngram;
  const { rightBigramShare, leftBigramShare, unigramShare } = shares;
  const draw = random.uniform();
  if (draw < unigramShare) return [0, token, 0];
  if (draw < unigramShare + leftBigramShare) return [previous, token, 0];
  return draw < unigramShare + leftBigramShare + rightBigramShare ? [0, token, next] : ngram;
}
