/** Labelled sentences as sequences of tokens: the first piece of a word stands for the word. */
import { entityF1 } from "../datasets/metrics.ts";
import type { Tokenizer } from "../formats/formats.ts";
import { present } from "../foundation/assert.ts";
import type { Source } from "./sequences.ts";

export interface LabelledSentence {
  readonly words: readonly string[];
  /** One for each word: `O`, or `B-` or `I-` and a type; see `entitiesOf`. */
  readonly labels: readonly string[];
}

export interface TokenSequences extends Source {
  /** Of each sequence, the labels of its words. */
  readonly wordLabels: readonly (readonly string[])[];
  /** Of each sequence, the first token of each word; -1 for a word that was cut off. */
  readonly starts: readonly Int32Array[];
}

/** What a word without a token is taken for. */
const outside = "O";

/**
 * Each word is tokenised alone. A sequence is cut to `tokensMax`, special tokens included; `states`
 * are for others to give.
 */
export async function tokenizeSentences(
  { tokenizer, tokensMax }: { readonly tokenizer: Tokenizer; readonly tokensMax: number },
  sentences: readonly LabelledSentence[],
): Promise<TokenSequences> {
  const distinct = [...new Set(sentences.flatMap(({ words }) => words))];
  const encoded = await tokenizer.encode(["", ...distinct]);
  const [[first = 0, last = 0] = []] = encoded.ids;
  const pieces = new Map(
    distinct.map((word, index) => [word, encoded.ids[index + 1]?.subarray(1, -1)]),
  );
  const ids: Int32Array[] = [];
  const starts: Int32Array[] = [];
  for (const { words } of sentences) {
    const tokens = [first];
    const firsts = words.map((word) => {
      const start = tokens.length;
      const own = present(pieces.get(word), "every word was tokenised");
      tokens.push(...own.subarray(0, tokensMax - 1 - start));
      return tokens.length > start ? start : -1;
    });
    ids.push(Int32Array.of(...tokens, last));
    starts.push(Int32Array.from(firsts));
  }
  return { ids, starts, wordLabels: sentences.map(({ labels }) => labels), states: undefined };
}

/**
 * F1 over the entities that `answers` mean, in [0, 1]; they number the label of each token.
 * Words that were cut off count as outside of all entities, so that cutting does not flatter.
 */
export function tokenF1(
  { wordLabels, starts }: Pick<TokenSequences, "wordLabels" | "starts">,
  answers: readonly Int32Array[],
  labels: readonly string[],
): number {
  const predicted = starts.map((words, index) =>
    Array.from(words, (start) => {
      if (start < 0) return outside;
      const answer = present(answers[index]?.[start], "an answer to every token");
      return labels[answer] ?? outside;
    }),
  );
  return entityF1(wordLabels, predicted);
}
