/** Texts of several requests are tokenised together, and get their own back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tokenizer } from "../formats/formats.ts";
import { TokenizeQueue } from "./tokenize-queue.ts";

/** One id per text, its length; an empty text cannot be tokenised. */
function lengthTokenizer(calls: string[][]): Tokenizer {
  return {
    vocabularySize: 100,
    padId: 0,
    maskId: undefined,
    isOwn: () => assert.fail("nobody asks"),
    encodeWords: () => assert.fail("nobody asks"),
    encode: async (texts) => {
      calls.push([...texts]);
      if (texts.includes("")) throw new Error("an empty text");
      const ids = texts.map(({ length }) => Int32Array.of(length));
      return { ids, isTruncated: texts.map((text) => text === "cut") };
    },
  };
}

test("requests of one moment are tokenised in one call and get their own texts back", async () => {
  const calls: string[][] = [];
  const queue = new TokenizeQueue(lengthTokenizer(calls));
  const [one, other] = await Promise.all([queue.encode(["a", "cut"]), queue.encode(["four"])]);
  assert.deepEqual(calls, [["a", "cut", "four"]]);
  assert.deepEqual(one, { ids: [Int32Array.of(1), Int32Array.of(3)], isTruncated: [false, true] });
  assert.deepEqual(other, { ids: [Int32Array.of(4)], isTruncated: [false] });
});

test("a text that cannot be tokenised fails its own request alone", async () => {
  const calls: string[][] = [];
  const queue = new TokenizeQueue(lengthTokenizer(calls));
  const asked = [["a"], ["b", ""], ["cc"]].map((texts) => queue.encode(texts));
  const [one, bad, other] = await Promise.allSettled(asked);
  assert.deepEqual(one?.status === "fulfilled" && one.value.ids, [Int32Array.of(1)]);
  assert.deepEqual(other?.status === "fulfilled" && other.value.ids, [Int32Array.of(2)]);
  assert.match(bad?.status === "rejected" ? String(bad.reason) : "answered", /an empty text/);
  assert.equal(calls.length, 4);
});
