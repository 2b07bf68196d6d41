/** Embeddings against the original implementations, through the whole processor. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import type { Precision } from "../src/entities/base-model.ts";
import { operator } from "../src/entities/caller.ts";
import { openStack } from "../src/processor/exam-stack.ts";
import { realBaseFolder, realMpnetFolder } from "./exam-real-base.ts";
import { embeddingsQuestion } from "../src/processor/questions.ts";

interface GoldenRow {
  readonly text: string;
  readonly ids: readonly number[];
  /** float32, little-endian, base64. */
  readonly embedding: string;
}

interface Golden {
  readonly folder: (context: TestContext) => Promise<string | undefined>;
  /** It is written by tools/golden. */
  readonly file: string;
  /** Ids of special tokens within a text are no ids that a caller may send; the text is. */
  readonly special: RegExp;
  readonly plainCount: number;
  /** What int8 is held to, see `Expected`. */
  readonly least: number;
  readonly leastOfOdd: number;
}

const minilm: Golden = {
  folder: realBaseFolder,
  file: "minilm-embeddings.json",
  special: /\[(?:PAD|UNK|CLS|SEP|MASK)\]/,
  plainCount: 198,
  least: 0.99,
  leastOfOdd: 0.99,
};

const mpnet: Golden = {
  folder: realMpnetFolder,
  file: "mpnet-embeddings.json",
  special: /<(?:s|\/s|pad|mask)>/,
  plainCount: 30,
  least: 0.995,
  leastOfOdd: 0.95,
};

async function rowsOf({ file }: Golden): Promise<readonly GoldenRow[]> {
  const content: unknown = JSON.parse(await readFile(`test/golden/${file}`, "utf8"));
  return (content as { readonly rows: readonly GoldenRow[] }).rows; // as the tools write them
}

function vectorOf({ embedding }: GoldenRow): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(embedding, "base64"));
  return new Float32Array(bytes.buffer);
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, ofA, ofB] = [0, 0, 0];
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? NaN;
    dot += value * other;
    ofA += value * value;
    ofB += other * other;
  }
  return dot / Math.sqrt(ofA * ofB);
}

interface Expected {
  readonly precision: Precision;
  /** The lowest cosine that is allowed. */
  readonly least: number;
  /**
   * The same of texts that are no language: one or two tokens over and over, whose errors in int8
   * add up, and special tokens within.
   */
  readonly leastOfOdd?: number;
}

const fewTokens = 4;

async function check(context: TestContext, golden: Golden, expected: Expected): Promise<void> {
  const { precision, least, leastOfOdd = least } = expected;
  const leastOf = ({ ids, text }: GoldenRow): number =>
    new Set(ids).size <= fewTokens || golden.special.test(text) ? leastOfOdd : least;
  const folder = await golden.folder(context);
  if (folder === undefined) return;
  const rows = await rowsOf(golden);
  const stack = await openStack({ folder, precision });
  const plain = rows.filter(({ text }) => !golden.special.test(text));
  const byIds = await stack.processor.ask(operator, embeddingsQuestion, {
    model: "base",
    inputs: plain.map(({ ids }) => ids),
  });
  const found = plain.map((row, index) => ({
    row,
    cosine: cosine(byIds.embeddings[index] ?? new Float32Array(), vectorOf(row)),
  }));
  const sorted = found.toSorted((a, b) => a.cosine - b.cosine).slice(0, 5);
  for (const { cosine: low, row } of sorted)
    context.diagnostic(`${precision}: cosine ${low} of "${row.text.slice(0, 60)}"`);
  assert.equal(found.length, golden.plainCount);
  for (const { cosine: value, row } of found)
    assert.ok(value >= leastOf(row), `${value} of "${row.text}"`);
  // The empty text is no input of the interface; of the others, some by text too.
  const short = plain.filter(({ text, ids }) => text !== "" && ids.length < 64).slice(0, 40);
  const some = [...short, ...rows.filter(({ text }) => golden.special.test(text))];
  const byText = await stack.processor.ask(operator, embeddingsQuestion, {
    model: "base",
    inputs: some.map(({ text }) => text),
  });
  for (const [index, row] of some.entries()) {
    const value = cosine(byText.embeddings[index] ?? new Float32Array(), vectorOf(row));
    assert.ok(value >= leastOf(row), `${value} of "${row.text}"`);
  }
  await stack.close();
}

for (const [name, golden] of Object.entries({ minilm, mpnet })) {
  const what = `embeddings of ${name} have a cosine of at least`;

  test(`fp32 ${what} 0.99999 to the original's`, (context) =>
    check(context, golden, { precision: "fp32", least: 0.99999 }));

  test(`int8 ${what} ${golden.least} to the original's`, (context) =>
    check(context, golden, { precision: "int8", ...golden }));
}
