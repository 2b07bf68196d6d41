import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { tokenizerOfJson } from "./tokenizer.ts";

const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "lamp", "##s", "1", "##2"];
const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
const size = {
  vocabularySize: 12,
  tokensMax: 8,
  special: {
    padding: "[PAD]",
    unknown: "[UNK]",
    first: "[CLS]",
    last: "[SEP]",
    mask: "[MASK]",
  },
};

const added = (content: string, id: number) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});
const model = {
  type: "WordPiece",
  unk_token: "[UNK]",
  continuing_subword_prefix: "##",
  max_input_chars_per_word: 100,
  vocab,
};
const special = (name: string, id: number) => ({ id: name, ids: [id], tokens: [name] });
const template = {
  type: "TemplateProcessing",
  single: [
    { SpecialToken: { id: "[CLS]", type_id: 0 } },
    { Sequence: { id: "A", type_id: 0 } },
    { SpecialToken: { id: "[SEP]", type_id: 0 } },
  ],
  pair: [],
  special_tokens: { "[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3) },
};
const sound = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: tokens.slice(0, 5).map(added),
  normalizer: {
    type: "BertNormalizer",
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: template,
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model,
};

function open(change: object) {
  return tokenizerOfJson(JSON.stringify({ ...sound, ...change }), size);
}

async function idsOf(change: object, text: string): Promise<number[]> {
  const { ids } = await open(change).encode([text]);
  return [...(ids[0] ?? [])];
}

describe("a tokenizer.json of known parts", () => {
  it("spells pieces as its model marks them", async () => {
    const marked = new Map(tokens.map((token, id) => [token.replace("##", "@"), id]));
    const other = { continuing_subword_prefix: "@", vocab: Object.fromEntries(marked) };
    const tokenizer = open({ model: { ...model, ...other } });
    const { ids } = await tokenizer.encode(["lamps 12"]);
    assert.deepEqual([...(ids[0] ?? [])], [2, 6, 7, 8, 9, 3]);
    assert.deepEqual(await tokenizer.isOwn(ids), [true]);
  });

  it("makes the ids that it says", async () => {
    assert.deepEqual(await idsOf({}, "The Lamps [MASK]"), [2, 5, 6, 7, 4, 3]);
    const sequence = { type: "Sequence", normalizers: [{ type: "NFD" }, { type: "Lowercase" }] };
    assert.deepEqual(await idsOf({ normalizer: sequence }, "THE"), [2, 5, 3]);
    const split = {
      type: "Sequence",
      pretokenizers: [{ type: "WhitespaceSplit" }, { type: "Digits", individual_digits: true }],
    };
    assert.deepEqual(await idsOf({ pre_tokenizer: split }, "the 1"), [2, 5, 8, 3]);
    const bert = { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] };
    assert.deepEqual(await idsOf({ post_processor: bert }, "lamp"), [2, 6, 3]);
  });

  it("knows its own ids, of pieces too, whatever decoder the file names", async () => {
    for (const decoder of [sound.decoder, null, { type: "ByteLevel" }]) {
      const tokenizer = open({ decoder });
      const lists = [Int32Array.of(2, 5, 6, 7, 3), Int32Array.of(2, 7, 5, 3)];
      assert.deepEqual(await tokenizer.isOwn(lists), [true, false]);
    }
  });

  it("gives added tokens that the vocabulary lacks the ids after it", async () => {
    const more = [...sound.added_tokens, added("<a>", 10), added("<b>", 11)];
    assert.deepEqual(await idsOf({ added_tokens: more }, "<b> the <a>"), [2, 11, 5, 10, 3]);
  });

  const normalizers = fc.constantFrom<object | null>(
    null,
    sound.normalizer,
    ...["Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"].map((type) => ({ type })),
    { type: "Strip", strip_left: true, strip_right: true },
    { type: "Sequence", normalizers: [] },
    { type: "Sequence", normalizers: [{ type: "NFKD" }, { type: "StripAccents" }] },
  );
  const splitters = fc.constantFrom<object | null>(
    null,
    ...["BertPreTokenizer", "Whitespace", "WhitespaceSplit"].map((type) => ({ type })),
    ...["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"].map(
      (behavior) => ({ type: "Punctuation", behavior }),
    ),
    { type: "Digits", individual_digits: false },
    { type: "Sequence", pretokenizers: [{ type: "Whitespace" }, { type: "BertPreTokenizer" }] },
  );

  it("reads any text without an error, into ids of the model and at least one", async () => {
    const texts = fc.array(fc.string({ unit: "binary", maxLength: 60 }), { maxLength: 5 });
    const run = fc.asyncProperty(normalizers, splitters, texts, async (normalizer, pre, given) => {
      const { ids } = await open({ normalizer, pre_tokenizer: pre }).encode(given);
      assert.equal(ids.length, given.length);
      for (const row of ids) {
        assert.ok(row.length >= 2 && row.length <= size.tokensMax);
        assert.ok(row.every((id) => id < size.vocabularySize));
      }
    });
    await fc.assert(run, { numRuns: 300 });
  });
});

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;
let deep: object = { type: "Lowercase" };
for (let depth = 0; depth < 1_000; depth++) deep = { type: "Sequence", normalizers: [deep] };

describe("a hostile tokenizer.json", () => {
  const pattern = { Regex: "(?:a+)+$" };
  const faults: [string, object, string, RegExp][] = [
    ["another model", { model: { ...model, type: "BPE" } }, "UNSUPPORTED", /"BPE", expected Word/],
    [
      "a model called as a property of all objects",
      { model: { type: "constructor" } },
      "UNSUPPORTED",
      /"constructor"/,
    ],
    [
      "a pattern that splits",
      { pre_tokenizer: { type: "Split", pattern, behavior: "Isolated", invert: false } },
      "UNSUPPORTED",
      /pre_tokenizer: it is "Split"/,
    ],
    [
      "a pattern that replaces",
      { normalizer: { type: "Replace", pattern, content: "" } },
      "UNSUPPORTED",
      /"Replace"/,
    ],
    [
      "a compiled character map",
      { normalizer: { type: "Precompiled", precompiled_charsmap: "AA==" } },
      "UNSUPPORTED",
      /"Precompiled"/,
    ],
    [
      "a pattern within a sequence",
      {
        normalizer: { type: "Sequence", normalizers: [{ type: "Replace", pattern, content: "" }] },
      },
      "UNSUPPORTED",
      /normalizers 0: it is "Replace"/,
    ],
    [
      "sequences in sequences",
      { normalizer: deep },
      "UNSUPPORTED",
      /normalizers 0: it is "Sequence"/,
    ],
    [
      "a long sequence",
      { normalizer: { type: "Sequence", normalizers: Array(17).fill({ type: "NFC" }) } },
      "INVALID_ARGUMENT",
      /normalizer normalizers: Too big/,
    ],
    ["no model", { model: null }, "UNSUPPORTED", /model: it is no part/],
    [
      "a vocabulary that is a list",
      { model: { ...model, vocab: tokens } },
      "INVALID_ARGUMENT",
      /model vocab/,
    ],
    [
      "an id beyond the model",
      { model: { ...model, vocab: { ...vocab, x: 12 } } },
      "INVALID_ARGUMENT",
      /"x" has the id 12, the model has the ids 0 to 11/,
    ],
    [
      "a huge id",
      { model: { ...model, vocab: { ...vocab, x: 1e300 } } },
      "INVALID_ARGUMENT",
      /"x" has the id 1e\+300/,
    ],
    [
      "an id below zero",
      { model: { ...model, vocab: { ...vocab, x: -1 } } },
      "INVALID_ARGUMENT",
      /"x" has the id -1/,
    ],
    [
      "an id that is a text",
      { model: { ...model, vocab: { ...vocab, x: "9" } } },
      "INVALID_ARGUMENT",
      /"x" has the id "9"/,
    ],
    [
      "an id that is a fraction",
      { model: { ...model, vocab: { ...vocab, x: 0.5 } } },
      "INVALID_ARGUMENT",
      /"x" has the id 0.5/,
    ],
    [
      "an id given twice",
      { model: { ...model, vocab: { ...vocab, x: 5 } } },
      "INVALID_ARGUMENT",
      /"x" has the id 5 of another one/,
    ],
    [
      "a token of a novel's length",
      { model: { ...model, vocab: { ...vocab, ["x".repeat(257)]: 11 } } },
      "INVALID_ARGUMENT",
      /more than 256 characters/,
    ],
    [
      "an unknown token that is none",
      { model: { ...model, unk_token: "<unk>" } },
      "INVALID_ARGUMENT",
      /no token "<unk>"/,
    ],
    [
      "words of any length",
      { model: { ...model, max_input_chars_per_word: 1e9 } },
      "INVALID_ARGUMENT",
      /max_input_chars_per_word/,
    ],
    [
      "words of no length",
      { model: { ...model, max_input_chars_per_word: 0 } },
      "INVALID_ARGUMENT",
      /max_input_chars_per_word/,
    ],
    [
      "an added token with another's id",
      { added_tokens: [added("[CLS]", 3)] },
      "INVALID_ARGUMENT",
      /"\[CLS\]" is added with the id 3, expected 2/,
    ],
    [
      "an added token beyond the model",
      { added_tokens: [added("<a>", 4e9)] },
      "INVALID_ARGUMENT",
      /added_tokens 0 id/,
    ],
    [
      "a token added twice",
      { added_tokens: [added("[CLS]", 2), added("[CLS]", 2)] },
      "INVALID_ARGUMENT",
      /added twice/,
    ],
    [
      "an empty added token",
      { added_tokens: [added("", 10)] },
      "INVALID_ARGUMENT",
      /added_tokens 0 content/,
    ],
    [
      "no special tokens around a text",
      { post_processor: null },
      "UNSUPPORTED",
      /post_processor: it is no part/,
    ],
    [
      "a template without a text",
      { post_processor: { ...template, single: [template.single[0], template.single[2]] } },
      "INVALID_ARGUMENT",
      /single has not one text/,
    ],
    [
      "a template of two texts",
      { post_processor: { ...template, single: [template.single[1], template.single[1]] } },
      "INVALID_ARGUMENT",
      /single has not one text/,
    ],
    [
      "a template without end",
      { post_processor: { ...template, single: Array(9).fill(template.single[0]) } },
      "INVALID_ARGUMENT",
      /single: Too big/,
    ],
    [
      "a template of an unknown token",
      { post_processor: { ...template, special_tokens: {} } },
      "INVALID_ARGUMENT",
      /lacks "\[CLS\]"/,
    ],
    [
      "a template with an id beyond the model",
      {
        post_processor: {
          ...template,
          special_tokens: { ...template.special_tokens, "[CLS]": special("[CLS]", 99) },
        },
      },
      "INVALID_ARGUMENT",
      /"\[CLS\]" has the ids 2 and 99/,
    ],
    [
      "a template with two ids for a token",
      {
        post_processor: {
          ...template,
          special_tokens: {
            ...template.special_tokens,
            "[CLS]": { ...special("[CLS]", 2), ids: [2, 3] },
          },
        },
      },
      "INVALID_ARGUMENT",
      /ids/,
    ],
  ];
  for (const [what, change, code, message] of faults)
    it(`with ${what} is ${code}`, () => {
      assert.throws(() => open(change), { name: "StrataError", code, message });
    });

  it("is refused whatever it is", () => {
    for (const json of ["", "null", "[1]", "{", nested(1_000_000), `{"model":${nested(100_000)}}`])
      assert.throws(() => tokenizerOfJson(json, size), { name: "StrataError" });
  });

  it("cannot add a token under the name of a property", () => {
    const text = JSON.stringify(sound).replace('"the":5', '"the":5,"__proto__":10');
    assert.equal(tokenizerOfJson(text, size).vocabularySize, 11);
  });
});
