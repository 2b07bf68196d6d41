/** Batches of texts in the form that a hierarchical base's graphs read. */
import { ngramSize } from "../models/hierarchy.ts";
import type { Value } from "../runtime/runtime.ts";
import { type Hidden, hides } from "./back-off.ts";

const [left, middle, right] = [0, 1, 2] as const;

/**
 * `ids`, `lengths`, the distinct tri-grams as `ngrams` and each token's rows of their slots as
 * `indices`. Neighbours that are hidden are pads in a token's own tri-gram.
 */
export function ngramFeeds(
  sequences: readonly Int32Array[],
  hidden: Hidden = [],
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
    ngrams.push(...ngram);
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  };
  for (const [row, tokens] of sequences.entries()) {
    const start = row * sequence;
    ids.set(tokens, start);
    const last = tokens.length - 1;
    const pattern = hidden[row];
    for (const [place, token] of tokens.entries()) {
      const without = pattern?.[place] ?? 0;
      const before = without & hides.left ? 0 : (tokens[place - 1] ?? 0);
      const after = without & hides.right ? 0 : (tokens[place + 1] ?? 0);
      const slots = numberOf([before, token, after]) * ngramSize;
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
    ids: { kind: "value", type: "int32", shape, values: ids },
    lengths: { kind: "value", type: "int64", shape: [count], values: lengths },
    ngrams: {
      kind: "value",
      type: "int32",
      shape: [numbers.size, ngramSize],
      values: Int32Array.from(ngrams),
    },
    indices: { kind: "value", type: "int32", shape: [...shape, ngramSize], values: indices },
  };
}
