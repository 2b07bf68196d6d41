/** Embeddings of 200 texts against the original implementation, through the whole processor. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import type { Precision } from "../src/entities/base-model.ts";
import { operator } from "../src/entities/caller.ts";
import { openStack } from "../src/processor/exam-stack.ts";
import { realBaseFolder } from "./exam-real-base.ts";

interface GoldenRow {
  readonly text: string;
  readonly ids: readonly number[];
  /** float32, little-endian, base64. */
  readonly embedding: string;
}

const file: unknown = JSON.parse(await readFile("test/golden/minilm-embeddings.json", "utf8"));
const { rows } = file as { readonly rows: readonly GoldenRow[] }; // written by tools/golden

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

const specialToken = /\[(?:PAD|UNK|CLS|SEP|MASK)\]/;

async function check(context: TestContext, precision: Precision, least: number): Promise<void> {
  const folder = await realBaseFolder(context);
  if (folder === undefined) return;
  const stack = await openStack({ folder, precision });
  // Ids of special tokens within a text are no ids that a caller may send; the text is.
  const plain = rows.filter(({ text }) => !specialToken.test(text));
  const byIds = await stack.processor.embed(operator, {
    model: "base",
    inputs: plain.map(({ ids }) => ids),
  });
  const worst = plain
    .map((row, index) => ({
      cosine: cosine(byIds.embeddings[index] ?? new Float32Array(), vectorOf(row)),
      text: row.text.slice(0, 60),
    }))
    .reduce((a, b) => (b.cosine >= a.cosine ? a : b));
  context.diagnostic(`${precision}: lowest cosine ${worst.cosine}, of "${worst.text}"`);
  assert.equal(byIds.embeddings.length, 198);
  assert.ok(worst.cosine >= least, `${worst.cosine} of "${worst.text}"`);
  // The empty text is no input of the interface; of the others, some by text too.
  const short = plain.filter(({ text, ids }) => text !== "" && ids.length < 64).slice(0, 40);
  const some = [...short, ...rows.filter(({ text }) => specialToken.test(text))];
  const byText = await stack.processor.embed(operator, {
    model: "base",
    inputs: some.map(({ text }) => text),
  });
  for (const [index, row] of some.entries()) {
    const found = cosine(byText.embeddings[index] ?? new Float32Array(), vectorOf(row));
    assert.ok(found >= least, `${found} of "${row.text}"`);
  }
  await stack.close();
}

test("fp32 embeddings have a cosine of at least 0.99999 to the original's", (context) =>
  check(context, "fp32", 0.99999));

test("int8 embeddings have a cosine of at least 0.99 to the original's", (context) =>
  check(context, "int8", 0.99));
