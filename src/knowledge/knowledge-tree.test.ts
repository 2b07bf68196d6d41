import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { gatherStates } from "./gather.ts";
import type { MissRule, TokenBatch } from "./knowledge.ts";
import { KnowledgeTree } from "./knowledge-tree.ts";
import { buildTable, type LookupTable } from "./lookup-table.ts";
import { standInEncoder } from "./exam-encoder.ts";
import { readRow } from "./exam-rows.ts";
import { computedRows, type RowPrecision } from "./table-rows.ts";

const hiddenSize = 4;
const encoder = standInEncoder(hiddenSize);

/** A table whose values are those of the stand-in plus `shift`. */
function tableOf(
  ngrams: readonly (readonly number[])[],
  { shift = 0, precision = "fp16" }: { shift?: number; precision?: RowPrecision } = {},
): Promise<LookupTable> {
  return buildTable(Int32Array.from(ngrams.flat()), {
    shape: { precision, hiddenSize },
    encoder: async (batch) => (await encoder(batch)).map((value) => value + shift),
  });
}

/** Sequences one after another. */
function packed(sequences: readonly (readonly number[])[], domains: readonly number[] = []) {
  let start = 0;
  const spans = sequences.map(({ length }, index) => {
    start += length;
    return { start: start - length, length, domain: domains[index] ?? 0 };
  });
  return { ids: Int32Array.from(sequences.flat()), spans } satisfies TokenBatch;
}

async function general(...ngrams: readonly (readonly number[])[]): Promise<KnowledgeTree> {
  return new KnowledgeTree([{ name: "general", parent: undefined, table: await tableOf(ngrams) }]);
}

async function statesOf(
  tree: KnowledgeTree,
  batch: TokenBatch,
  missRule: MissRule,
): Promise<Float32Array> {
  const lookup = tree.lookUp(batch, missRule);
  const computed = computedRows({ precision: "fp16", hiddenSize }, await encoder(lookup.misses));
  const states = new Float32Array(batch.ids.length * hiddenSize);
  gatherStates([...tree.rows, computed], lookup, states);
  return states;
}

describe("a look-up", () => {
  it("finds tri-grams, with pads at the sequence's edges", async () => {
    const tree = await general([0, 5, 6], [5, 6, 7], [6, 7, 0]);
    const lookup = tree.lookUp(packed([[5, 6, 7]]), "backoff");
    assert.deepEqual([...lookup.rows], [1, 2, 3]);
    assert.deepEqual(lookup.hits, { trigram: 3, bigram: 0, unigram: 0, none: 0 });
  });

  it("falls back to the right bi-gram, then the uni-gram, then zeros", async () => {
    // The left bi-gram (8, 5, 0) and (5, 6, 9) are of no use for 8 5 6.
    const tree = await general([0, 5, 6], [0, 6, 0], [8, 5, 0], [5, 6, 9]);
    const lookup = tree.lookUp(packed([[8, 5, 6]]), "backoff");
    assert.deepEqual([...lookup.rows], [0, 1, 2]);
    assert.deepEqual(lookup.hits, { trigram: 0, bigram: 1, unigram: 1, none: 1 });
    assert.equal(lookup.misses.length, 0);
  });

  it("prefers the bi-gram to the uni-gram", async () => {
    const tree = await general([0, 6, 0], [0, 6, 7]);
    const lookup = tree.lookUp(packed([[5, 6, 7]]), "backoff");
    assert.equal(lookup.rows[1], 2);
  });

  it("reports each missing n-gram once, with where its row belongs", async () => {
    const tree = await general([0, 5, 6]);
    const batch = packed([
      [5, 6, 6],
      [5, 6, 6],
    ]);
    const lookup = tree.lookUp(batch, "compute");
    assert.deepEqual([...lookup.misses], [5, 6, 6, 6, 6, 0]);
    assert.deepEqual([...lookup.tables], [0, 1, 1, 0, 1, 1]);
    assert.deepEqual([...lookup.rows], [1, 1, 2, 1, 1, 2]);
    assert.deepEqual(lookup.hits, { trigram: 2, bigram: 0, unigram: 0, none: 4 });
  });

  it("takes a pad within a sequence for a token like any other", async () => {
    const tree = await general([0, 5, 0], [5, 0, 6], [0, 6, 0]);
    assert.deepEqual([...tree.lookUp(packed([[5, 0, 6]]), "backoff").rows], [1, 2, 3]);
    const nothing = await general();
    assert.deepEqual([...nothing.lookUp(packed([[0]]), "compute").misses], [0, 0, 0]);
  });

  it("counts nothing where there are no positions", async () => {
    const tree = await general([0, 5, 0]);
    const lookup = tree.lookUp(packed([]), "compute");
    assert.deepEqual(lookup.hits, { trigram: 0, bigram: 0, unigram: 0, none: 0 });
  });
});

describe("gathering", () => {
  it("adds the token's slots of the three n-grams that it stands in", async () => {
    const tree = await general([0, 1, 2], [1, 2, 3], [2, 3, 0]);
    const states = await statesOf(tree, packed([[1, 2, 3]]), "backoff");
    // (a + 2b + 3c + 5s + 7i) mod 33, at i = 0: n-grams sum to 8, 14 and 8, slots add 0, 5, 10.
    // Token 1 is M of the first and L of the second; 2 is R, M, L; 3 is R of the second and M.
    const at0 = [13 + 14 - 32, 18 + 19 + 8 - 48, 24 + 13 - 32].map((sum) => sum / 16);
    assert.deepEqual([states[0], states[4], states[8]], at0);
    // At i = 3, 21 more, modulo 33.
    const at3 = [1 + 2 - 32, 6 + 7 + 29 - 48, 12 + 1 - 32].map((sum) => sum / 16);
    assert.deepEqual([states[3], states[7], states[11]], at3);
  });

  it("scales each slot of int8 rows by itself", async () => {
    const precision = "int8";
    const table = await buildTable(Int32Array.of(0, 1, 2, 1, 2, 0), {
      shape: { precision, hiddenSize: 2 },
      // L, M, R of both n-grams.
      encoder: async () => Float32Array.of(0, 0, 127, -1, 1.27, 0.5, 254, 2, -0.127, 0.1, 0, 0),
    });
    const tree = new KnowledgeTree([{ name: "general", parent: undefined, table }]);
    const states = new Float32Array(4);
    gatherStates(tree.rows, tree.lookUp(packed([[1, 2]]), "backoff"), states);
    // 127 = M + 254 = L of the next; 0.5 is 50 steps of 0.01, 0.1 is 100 steps of 0.001.
    const expected = [127 + 254, -1 + 2, 1.27 - 0.127, 0.5 + 0.1];
    for (const [index, value] of expected.entries())
      assert.ok(Math.abs((states[index] ?? NaN) - value) < 1e-6, `${states[index]} at ${index}`);
  });

  it("gives a sequence the same states alone, packed and padded", async () => {
    const sequence = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });
    const tree = await general([0, 1, 2], [1, 2, 3], [0, 3, 4], [0, 2, 0], [4, 4, 4], [0, 4, 0]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(sequence, { minLength: 1, maxLength: 5 }),
        fc.constantFrom("backoff" as const, "compute" as const),
        async (sequences, rule) => {
          const alone: number[][] = [];
          for (const ids of sequences) alone.push([...(await statesOf(tree, packed([ids]), rule))]);
          const together = await statesOf(tree, packed(sequences), rule);
          assert.deepEqual([...together], alone.flat());
          const width = Math.max(...sequences.map(({ length }) => length));
          const ids = new Int32Array(sequences.length * width);
          for (const [row, own] of sequences.entries()) ids.set(own, row * width);
          const spans = sequences.map(({ length }, row) => ({
            start: row * width,
            length,
            domain: 0,
          }));
          const padded = await statesOf(tree, { ids, spans }, rule);
          const expected = new Float32Array(padded.length);
          for (const [row, own] of alone.entries()) expected.set(own, row * width * hiddenSize);
          assert.deepEqual(padded, expected);
        },
      ),
    );
  });

  it("gives the same states from a table as from computing", async () => {
    const sequences = [[1, 2, 3, 1], [3, 1], [2]];
    const batch = packed(sequences);
    const cold = await statesOf(await general([0, 9, 9]), batch, "compute");
    const all = (await general()).lookUp(batch, "compute").misses;
    const ngrams = Array.from({ length: all.length / 3 }, (_, row) => [
      ...all.subarray(3 * row, 3 * row + 3),
    ]);
    const warm = await statesOf(await general(...ngrams), batch, "backoff");
    assert.deepEqual(warm, cold);
  });
});

describe("a knowledge tree", () => {
  /** general <- medicine <- surgery, and law beside them; each shifts its values by one more. */
  async function family(): Promise<KnowledgeTree> {
    return new KnowledgeTree([
      {
        name: "general",
        parent: undefined,
        table: await tableOf([
          [0, 1, 2],
          [1, 2, 0],
          [0, 2, 0],
        ]),
      },
      {
        name: "medicine",
        parent: "general",
        table: await tableOf(
          [
            [0, 1, 2],
            [0, 3, 0],
          ],
          { shift: 1 },
        ),
      },
      { name: "surgery", parent: "medicine", table: await tableOf([[1, 2, 0]], { shift: 2 }) },
      { name: "law", parent: "general", table: await tableOf([[1, 2, 0]], { shift: 3 }) },
    ]);
  }

  it("asks a domain before its parent, at any depth, and no other branch", async () => {
    const tree = await family();
    const same = [1, 2];
    const lookup = tree.lookUp(packed([same, same, same, same], [0, 1, 2, 3]), "backoff");
    assert.deepEqual([...lookup.tables], [0, 0, 1, 0, 1, 2, 0, 3]);
    assert.deepEqual([...lookup.rows], [1, 2, 1, 2, 1, 1, 1, 1]);
    assert.equal(lookup.hits.trigram, 8);
  });

  it("takes the root's tri-gram before a domain's shorter n-gram", async () => {
    const table = await tableOf([[0, 2, 0]], { shift: 1 });
    const root = await tableOf([
      [1, 2, 0],
      [0, 2, 0],
    ]);
    const tree = new KnowledgeTree([
      { name: "general", parent: undefined, table: root },
      { name: "medicine", parent: "general", table },
    ]);
    const lookup = tree.lookUp(
      packed(
        [
          [1, 2],
          [3, 2],
        ],
        [1, 1],
      ),
      "backoff",
    );
    assert.deepEqual([lookup.tables[1], lookup.rows[1]], [0, 1]);
    assert.deepEqual([lookup.tables[3], lookup.rows[3]], [1, 1]);
  });

  it("mixes domains in one batch, each sequence as it is alone", async () => {
    const tree = await family();
    const sequences = [[1, 2], [3, 1, 2], [1, 2], [2]];
    const domains = [2, 1, 3, 0];
    const together = await statesOf(tree, packed(sequences, domains), "backoff");
    const alone: number[] = [];
    for (const [index, ids] of sequences.entries())
      alone.push(...(await statesOf(tree, packed([ids], [domains[index] ?? 0]), "backoff")));
    assert.deepEqual([...together], alone);
  });

  it("computes a missing n-gram once for all domains", async () => {
    const lookup = (await family()).lookUp(packed([[7], [7]], [1, 3]), "compute");
    assert.deepEqual([...lookup.misses], [0, 7, 0]);
    assert.deepEqual([...lookup.tables], [4, 4]);
  });

  it("tells the size of each domain", async () => {
    const sizes = (await family()).sizes();
    assert.deepEqual(
      sizes.map(({ name, depth, entryCount }) => ({ name, depth, entryCount })),
      [
        { name: "general", depth: 0, entryCount: 3 },
        { name: "medicine", depth: 1, entryCount: 2 },
        { name: "surgery", depth: 2, entryCount: 1 },
        { name: "law", depth: 1, entryCount: 1 },
      ],
    );
    // Rows of 3 x 4 fp16, with the row of zeros; 16 slots of 12 bytes.
    assert.equal(sizes[0]?.rowBytes, 4 * 3 * 4 * 2);
    assert.equal(sizes[0]?.mapBytes, 16 * 12);
  });

  it("refuses domains without a parent, of one name, or of another shape", async () => {
    const table = await tableOf([[0, 1, 0]]);
    const root = { name: "general", parent: undefined, table };
    const refused = (second: { name: string; parent: string | undefined; table: LookupTable }) =>
      assert.throws(() => new KnowledgeTree([root, second]), { code: "INVALID_ARGUMENT" });
    refused({ name: "medicine", parent: "law", table });
    refused({ name: "medicine", parent: undefined, table });
    refused({ name: "general", parent: "general", table });
    const bytes = await tableOf([[0, 1, 0]], { precision: "int8" });
    refused({ name: "medicine", parent: "general", table: bytes });
  });
});

it("a table is built in batches and reads back what was encoded", async () => {
  const ngrams = Int32Array.from({ length: 3 * 2500 }, (_, at) => 1 + (at % 3) * 7 + at);
  const progress: number[] = [];
  const table = await buildTable(ngrams, {
    shape: { precision: "fp16", hiddenSize },
    encoder,
    onProgress: (rowCount) => progress.push(rowCount),
  });
  assert.deepEqual(progress, [1024, 2048, 2500]);
  const expected = await encoder(ngrams);
  const row = new Float32Array(3 * hiddenSize);
  for (const number of [1, 1024, 1025, 2500]) {
    readRow(table.rows, number, row);
    assert.deepEqual(row, expected.subarray((number - 1) * row.length, number * row.length));
  }
  await assert.rejects(
    buildTable(ngrams, { shape: table.rows, encoder, signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
});
