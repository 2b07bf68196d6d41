/** Reads columns as files have them; bad lines are told, and cost their sentence alone. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { limits } from "../foundation/limits.ts";
import { readConll } from "./conll.ts";

const readBytes = (bytes: Uint8Array) =>
  readConll(Readable.from([bytes]), { filename: "words.conll" });
const read = (text: string) => readBytes(Buffer.from(text));

test("tabs or spaces, the first column and the last, sentences and documents apart", async () => {
  const dataset = await read(
    "\uFEFF-DOCSTART- (10091617)\n\nNew\tNNP\tO\tB-Place\r\nYork NNP O I-Place\n \n" +
      "\n-DOCSTART- -X- O O\nno-break\u00A0word\tO\nin  O\n-DOCSTART-\nParis\tI-Place",
  );
  assert.deepEqual(dataset, {
    sentences: [
      { words: ["New", "York"], labels: ["B-Place", "I-Place"] },
      { words: ["no-break\u00A0word", "in"], labels: ["O", "O"] },
      { words: ["Paris"], labels: ["I-Place"] },
    ],
    labels: ["B-Place", "I-Place", "O"],
    faults: [],
    faultCount: 0,
  });
});

test("every bad line is told by number and reason; only its sentence is left out", async () => {
  const dataset = await read(
    "good O\n\none\nbad S-Type\nfine O\n\n\tNN\tO\n\nword B-\n\nword\t\n\nnul\0 O\n\nlast O\n",
  );
  assert.deepEqual(
    dataset.sentences.map(({ words }) => words),
    [["good"], ["last"]],
  );
  const lines = dataset.faults.map(({ line, reason }) => `${line}: ${reason}`);
  assert.deepEqual(lines, [
    "3: expected a word and a label, got one column",
    '4: label is "S-Type", expected O, B-… or I-…',
    "7: word is empty",
    '9: label is "B-", expected O, B-… or I-…',
    "11: label is empty",
    "13: text holds a NUL or a lone surrogate",
  ]);
  assert.equal(dataset.faultCount, 6);
});

test("a line that is too long is told; bytes that are no text are an error", async () => {
  const long = `${"x".repeat(limits.trainingLineCharactersMax)} O`;
  const { sentences, faults } = await read(`a O\n\n${long}`);
  assert.equal(sentences.length, 1);
  assert.deepEqual(
    faults.map(({ line, reason }) => `${line}: ${reason}`),
    ["3: line is longer than 2097152 characters"],
  );
  await assert.rejects(readBytes(Buffer.from("a O\n\nb\xff O\n", "latin1")), /line 3, column 2/);
});

test("what was written is read again", async () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9.,]+$/);
  const pair = fc.tuple(word, fc.constantFrom("O", "B-X", "I-X", "I-Y"));
  const sentences = fc.array(fc.array(pair, { minLength: 1 }));
  await fc.assert(
    fc.asyncProperty(sentences, async (all) => {
      const text = all.map((pairs) => pairs.map((row) => row.join("\t")).join("\n")).join("\n\n");
      const again = (await read(text)).sentences.map(({ words, labels }) =>
        words.map((name, index) => [name, labels[index]]),
      );
      assert.deepEqual(again, all);
    }),
  );
});
