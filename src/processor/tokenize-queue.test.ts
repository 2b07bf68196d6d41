/** Texts of several requests are tokenised together, get their own back, and never without end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tokenizer } from "../checkpoints/checkpoints.ts";
import { limits } from "../foundation/limits.ts";
import { TokenizeQueue } from "./tokenize-queue.ts";

/** One id per text, its length; an empty text cannot be tokenised. */
function lengthTokenizer(calls: string[][]): Tokenizer {
  return {
    vocabularySize: 100,
    padId: 0,
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

test("texts beyond the limit are refused while others wait, and taken afterwards", async () => {
  const queue = new TokenizeQueue(lengthTokenizer([]));
  const full = queue.encode(Array.from({ length: limits.queueSequenceCountMax }, () => "a"));
  await assert.rejects(queue.encode(["b"]), {
    code: "OVERLOADED",
    message: "Cannot tokenise 1 texts: 8192 are waiting, the limit is 8192",
  });
  assert.equal((await full).ids.length, limits.queueSequenceCountMax);
  // What fails leaves the queue too.
  await assert.rejects(queue.encode([""]), /an empty text/);
  const again = Array.from({ length: limits.queueSequenceCountMax }, () => "c");
  assert.equal((await queue.encode(again)).ids.length, limits.queueSequenceCountMax);
});
