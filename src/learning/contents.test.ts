/** Checks that a text's content is the same however it is written, and another's another. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Encoded, Tokenizer } from "../formats/formats.ts";
import { encodeContents } from "./contents.ts";

/** Codes of the characters, as they are or folded: two kinds of tokenizers in small. */
function charactersOf(isFolding: boolean): Tokenizer {
  const normal = (text: string): string =>
    isFolding ? text.toLowerCase().split(/\s+/).filter(Boolean).join(" ") : text;
  const encode = (texts: readonly string[]): Promise<Encoded> =>
    Promise.resolve({
      ids: texts.map((text) => Int32Array.from(normal(text), (c) => c.charCodeAt(0))),
      isTruncated: texts.map(() => false),
    });
  const none = { tokens: new Int32Array(), starts: new Int32Array(), ends: new Int32Array() };
  return {
    vocabularySize: 0x10000,
    padId: 0,
    maskId: undefined,
    isOwn: (lists) => Promise.resolve(lists.map(() => true)),
    encode,
    encodeWords: async (texts) => ({ ...(await encode(texts)), words: texts.map(() => none) }),
  };
}

describe("the content of a text", () => {
  for (const isFolding of [true, false]) {
    const tokenizer = charactersOf(isFolding);
    it(`does not change with case and white space, folding tokenizer: ${isFolding}`, async () => {
      const texts = ["My Card", "my card", "  MY\tcard \n", "my cards", "mycard"];
      const { ids, digests } = await encodeContents(tokenizer, texts, { hasWords: false });
      const [first, ...others] = digests;
      assert.deepEqual(
        others.map((digest) => digest === first),
        [true, true, false, false],
      );
      // What is learned from is the text as it is.
      assert.deepEqual(ids, (await tokenizer.encode(texts)).ids);
    });
  }

  it("is the same in every file and at every place", async () => {
    const texts = Array.from({ length: 5_000 }, (_, index) => `text ${index % 2_500}`);
    const tokenizer = charactersOf(true);
    const { digests } = await encodeContents(tokenizer, texts, { hasWords: false });
    assert.equal(new Set(digests).size, 2_500);
    assert.deepEqual(digests.subarray(0, 2_500), digests.subarray(2_500));
    const [alone] = (await encodeContents(tokenizer, ["text 77"], { hasWords: false })).digests;
    assert.equal(alone, digests[77]);
  });

  it("is given up with the signal's reason", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    const given = encodeContents(charactersOf(true), ["a"], { hasWords: false, signal });
    await assert.rejects(given, { message: "enough" });
  });
});
