import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Tokenizer } from "./formats.ts";
import { tokenizerOfJson, tokenizerOfVocabulary } from "./tokenizer.ts";

const tokens = [
  "[PAD]",
  "[UNK]",
  "[CLS]",
  "[SEP]",
  "[MASK]",
  "the",
  "lamp",
  "##s",
  "!",
  "中",
  "Cat",
];
const special = {
  padding: "[PAD]",
  unknown: "[UNK]",
  first: "[CLS]",
  last: "[SEP]",
  mask: "[MASK]",
};
const casing = { isLowercase: true, stripsAccents: true, splitsChinese: true };

function small(tokensMax = 8): Tokenizer {
  return tokenizerOfVocabulary(tokens.join("\n"), {
    casing,
    vocabularySize: 11,
    tokensMax,
    special,
  });
}

async function idsOf(tokenizer: Tokenizer, text: string): Promise<number[]> {
  const { ids } = await tokenizer.encode([text]);
  return [...(ids[0] ?? [])];
}

describe("a tokenizer of vocab.txt", () => {
  it("splits words into pieces between [CLS] and [SEP]", async () => {
    assert.deepEqual(await idsOf(small(), "The lámps! 中中 x"), [2, 5, 6, 7, 8, 9, 9, 3]);
  });

  it("keeps case and accents when the model does", async () => {
    const cased = { isLowercase: false, stripsAccents: false, splitsChinese: true };
    const tokenizer = tokenizerOfVocabulary(tokens.join("\r\n"), {
      casing: cased,
      vocabularySize: 11,
      tokensMax: 8,
      special,
    });
    assert.deepEqual(await idsOf(tokenizer, "Cat The lámps"), [2, 10, 1, 1, 3]);
  });

  it("reads the special tokens in a text as themselves", async () => {
    assert.deepEqual(await idsOf(small(), "the [MASK]"), [2, 5, 4, 3]);
  });

  it("cuts after tokensMax, keeps [SEP] and says so", async () => {
    const { ids, isTruncated } = await small(4).encode(["the the", "the the the", ""]);
    assert.deepEqual(ids, [
      Int32Array.of(2, 5, 5, 3),
      Int32Array.of(2, 5, 5, 3),
      Int32Array.of(2, 3),
    ]);
    assert.deepEqual(isTruncated, [false, true, false]);
  });

  it("says for every length of the last word's pieces whether it was cut", async () => {
    // A word of two pieces may be cut within itself.
    const texts = ["the lamps", "lamp lamps", "the the lamps", "the lamp the", "中中中"];
    const { ids, isTruncated } = await small(5).encode(texts);
    assert.deepEqual(isTruncated, [false, false, true, false, false]);
    assert.deepEqual(ids[2], Int32Array.of(2, 5, 5, 6, 3));
  });

  it("knows the sequences that it makes itself, cut ones and unknown words too", async () => {
    const texts = ["The lámps! 中中 x", "lamps lamps lamps lamps", "", "the ☃ lamp"];
    const { ids } = await small().encode(texts);
    assert.deepEqual(await small().isOwn(ids), [true, true, true, true]);
  });

  it("does not know what another tokenizer, or nobody, makes", async () => {
    const foreign: readonly (readonly number[])[] = [
      [5, 6],
      [2, 5, 6],
      [5, 6, 3],
      [2],
      [2, 5, 3, 0, 0],
      [2, 5, 3, 6, 3],
      [2, 5, 4, 3],
      [2, 7, 3],
      [3, 5, 2],
      [],
    ];
    const answers = await small().isOwn(foreign.map((list) => Int32Array.from(list)));
    assert.deepEqual(
      answers,
      foreign.map(() => false),
    );
  });

  it("does not know a word in other pieces than its own", async () => {
    const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "la", "lamp", "##mp"];
    const tokenizer = tokenizerOfVocabulary(words.join("\n"), {
      casing,
      vocabularySize: 11,
      tokensMax: 8,
      special,
    });
    const lists = [Int32Array.of(2, 6, 3), Int32Array.of(2, 5, 7, 3)];
    assert.deepEqual(await tokenizer.isOwn(lists), [true, false]);
  });

  it("tells the words that its tokens cover, in code points", async () => {
    const cases: readonly (readonly [text: string, words: string])[] = [
      // Token of the sequence, place in the text.
      ["the lamps!", "1:0-3 2:4-9 4:9-10"],
      ["The  lámps", "1:0-3 2:5-10"],
      ["\u{1f600} the", "1:0-1 2:2-5"],
      ["中中 the", "1:0-1 2:1-2 3:3-6"],
      ["the\r\n\tlamp", "1:0-3 2:6-10"],
      ["  ", ""],
      ["", ""],
    ];
    const { ids, words } = await small().encodeWords(cases.map(([text]) => text));
    assert.deepEqual(ids, (await small().encode(cases.map(([text]) => text))).ids);
    for (const [index, [text, wanted]] of cases.entries()) {
      const { tokens: firsts, starts, ends } = words[index] ?? assert.fail("words of each text");
      const found = Array.from(firsts, (first, word) => `${first}:${starts[word]}-${ends[word]}`);
      assert.equal(found.join(" "), wanted, text);
    }
  });

  it("tells the whole of a word that is cut within itself, and none behind it", async () => {
    const { isTruncated, words } = await small(4).encodeWords(["the lamps the", "lamps the"]);
    assert.deepEqual(isTruncated, [true, true]);
    assert.deepEqual(
      words.map(({ starts, ends }) => [...starts].map((start, word) => [start, ends[word]])),
      [
        [
          [0, 3],
          [4, 9],
        ],
        [[0, 5]],
      ],
    );
  });

  it("answers nothing for no texts", async () => {
    assert.deepEqual(await small().encode([]), { ids: [], isTruncated: [] });
  });

  it("takes lone surrogates", async () => {
    assert.deepEqual(await idsOf(small(), "the \ud800 \udc00"), [2, 5, 3]);
  });

  it("tells its size and the padding", () => {
    assert.equal(small().vocabularySize, tokens.length);
    assert.equal(small().padId, 0);
  });

  it("refuses a vocabulary without a special token", () => {
    const build = () =>
      tokenizerOfVocabulary("[PAD]\n[UNK]\n[CLS]", {
        casing,
        vocabularySize: 11,
        tokensMax: 8,
        special,
      });
    assert.throws(build, { code: "INVALID_ARGUMENT", message: /"\[SEP\]"/ });
  });
});

describe("a tokenizer of tokenizer.json", () => {
  it("refuses what is none", () => {
    for (const json of ["", "{}", "[1]", '{"model":{"type":"BPE"}}'])
      assert.throws(
        () => tokenizerOfJson(json, { vocabularySize: 11, tokensMax: 8, special }),
        { code: "INVALID_ARGUMENT" },
        json,
      );
  });
});

describe("a tokenizer.json with truncation and padding of its own", () => {
  const json = JSON.stringify({
    version: "1.0",
    truncation: { direction: "Left", max_length: 3, strategy: "LongestFirst", stride: 1 },
    padding: {
      strategy: { Fixed: 8 },
      direction: "Left",
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: "[PAD]",
    },
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: "Whitespace" },
    post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] },
    decoder: null,
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    },
  });

  it("cuts at the model's tokens and at the end, and pads nothing", async () => {
    const texts = ["the", "the lamps !", "the lamps ! Cat"];
    const { ids, isTruncated } = await tokenizerOfJson(json, {
      vocabularySize: 11,
      tokensMax: 6,
      special,
    }).encode(texts);
    assert.deepEqual(
      ids.map((row) => [...row]),
      [
        [2, 5, 3],
        [2, 5, 6, 7, 8, 3],
        [2, 5, 6, 7, 8, 3],
      ],
    );
    assert.deepEqual(isTruncated, [false, false, true]);
  });
});

describe("a million characters", () => {
  const count = 1_000_000;
  const hostile: [string, string][] = [
    ["one word", "a".repeat(count)],
    ["combining marks", `e${"\u0301".repeat(count - 1)}`],
    ["spaces", " ".repeat(count)],
    ["ideographs", "中".repeat(count)],
    ["lone surrogates", "\udc00".repeat(count)],
    ["punctuation", "!".repeat(count)],
  ];
  for (const [what, text] of hostile) {
    it(`of ${what} take less than 10 s and leave the event loop free`, async () => {
      const start = process.cpuUsage();
      let turns = 0;
      const timer = setInterval(() => turns++, 5);
      const { ids } = await small().encode([text]);
      clearInterval(timer);
      assert.ok((ids[0]?.length ?? 99) <= 8);
      // Of the processor, whatever else it does meanwhile.
      const { user, system } = process.cpuUsage(start);
      assert.ok(user + system < 10_000_000, `${user + system} µs`);
      assert.ok(turns >= 2, `the event loop turned ${turns} times`);
    });
  }
});
