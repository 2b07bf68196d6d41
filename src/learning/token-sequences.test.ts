/** Words become tokens, and scores of tokens become labels of words: worked out by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenizerOfVocabulary } from "../formats/tokenizer.ts";
import { bert } from "../models/families/bert.ts";
import { tokenF1, tokenizeSentences } from "./token-sequences.ts";

const vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "lamp", "##s", "!"];
const casing = { isLowercase: true, stripsAccents: true, splitsChinese: true };

const sentences = [
  { words: ["The", "lamps", "!!"], labels: ["O", "B-Thing", "I-Thing"] },
  { words: ["\u200D", "lamp"], labels: ["B-Thing", "B-Thing"] },
  { words: ["the", "lamps", "lamps", "lamp"], labels: ["O", "O", "B-Thing", "B-Thing"] },
];

function sequences(tokensMax: number) {
  const vocabularySize = vocabulary.length;
  const options = { casing, vocabularySize, tokensMax, special: bert.specialTokens };
  const tokenizer = tokenizerOfVocabulary(vocabulary.join("\n"), options);
  return tokenizeSentences({ tokenizer, tokensMax }, sentences);
}

test("a word's first piece stands for it; what is cut off has none", async () => {
  const { ids, starts, wordLabels } = await sequences(6);
  assert.deepEqual(
    ids.map((row) => [...row]),
    [
      [2, 5, 6, 7, 8, 3],
      [2, 6, 3],
      // The second "lamps" is cut within.
      [2, 5, 6, 7, 6, 3],
    ],
  );
  assert.deepEqual(
    starts.map((row) => [...row]),
    [
      [1, 2, 4],
      [-1, 1],
      [1, 2, 4, -1],
    ],
  );
  assert.deepEqual(wordLabels[0], ["O", "B-Thing", "I-Thing"]);
});

test("F1 counts words that were cut off as missed", async () => {
  const { wordLabels, starts } = await sequences(6);
  const labels = ["B-Thing", "I-Thing", "O"];
  const answers = (...answered: readonly number[]): Int32Array => Int32Array.from(answered);
  // Within a word, and at the specials, it does not matter what is answered.
  const right = [answers(0, 2, 0, 2, 1, 0), answers(1, 0, 1), answers(0, 2, 2, 0, 0, 0)];
  // Found are 3 of 5 entities, and no others.
  assert.equal(tokenF1({ wordLabels, starts }, right, labels), (2 * 3) / (5 + 3));
  const wrong = [answers(2, 2, 0, 2, 2, 2), answers(2, 2, 2), answers(2, 2, 2, 2, 0, 2)];
  assert.equal(tokenF1({ wordLabels, starts }, wrong, labels), (2 * 1) / (5 + 2));
});
