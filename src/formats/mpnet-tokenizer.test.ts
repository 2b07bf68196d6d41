/** MPNet's tokenizer is BERT's with other special tokens, put around a text in RoBERTa's way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenizerOfJson } from "./tokenizer.ts";

const words = ["<s>", "<pad>", "</s>", "[UNK]", "the", "lamp", "##s", "<mask>"];

const json = JSON.stringify({
  added_tokens: [0, 1, 2, 3, 7].map((id) => ({
    id,
    content: words[id],
    single_word: false,
    // Written so by MPNet: spaces before a mask are part of it.
    lstrip: words[id] === "<mask>",
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "RobertaProcessing",
    sep: ["</s>", 2],
    cls: ["<s>", 0],
    trim_offsets: true,
    add_prefix_space: false,
  },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(words.map((word, id) => [word, id])),
  },
});

const tokenizer = tokenizerOfJson(json, {
  vocabularySize: 8,
  tokensMax: 5,
  special: { padding: "<pad>", unknown: "[UNK]", first: "<s>", last: "</s>", mask: "<mask>" },
});

test("texts stand between the family's own tokens, and are cut before the last", async () => {
  const { ids, isTruncated } = await tokenizer.encode(["The Lamps", "a <mask> the the"]);
  assert.deepEqual(
    ids.map((row) => [...row]),
    [
      [0, 4, 5, 6, 2],
      [0, 3, 7, 4, 2],
    ],
  );
  assert.deepEqual(isTruncated, [false, true]);
  assert.deepEqual([tokenizer.padId, tokenizer.maskId], [1, 7]);
});

test("sequences of its own begin and end with them and hold none within", async () => {
  const lists = [Int32Array.of(0, 4, 5, 2), Int32Array.of(0, 7, 2), Int32Array.of(2, 4, 0)];
  assert.deepEqual(await tokenizer.isOwn(lists), [true, false, false]);
});
