/**
 * Claim `hierarchy`: looking the shallow layers up instead of computing them nearly doubles the
 * tokens per second. Keys of the table, texts and hit rates are real; its values are noise, which
 * costs the same to look up and to multiply.
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBaseCheckpoint, openPulledBase } from "../src/sources/base-cache.ts";
import { constantsOf, linearForms } from "../src/checkpoints/base-weights.ts";
import { elementCount } from "../src/foundation/element-count.ts";
import { digestOf } from "../src/foundation/digest.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import type { HitCounts, NgramEncoder } from "../src/knowledge/knowledge.ts";
import { KnowledgeTree } from "../src/knowledge/knowledge-tree.ts";
import { lookedUpSums } from "../src/knowledge/looked-up-sums.ts";
import type { LookupTable } from "../src/knowledge/lookup-table.ts";
import { loadNgramEncoder } from "../src/knowledge/ngram-encoder.ts";
import { numberNgrams } from "../src/knowledge/ngram-map.ts";
import { readTable, writeTable } from "../src/knowledge/table-file.ts";
import { allocateRows, rowsBytes } from "../src/knowledge/table-rows.ts";
import { hierarchyWeights } from "../src/models/hierarchical-states.ts";
import { quantizeGraph } from "../src/models/quantize.ts";
import { servingGraph } from "../src/models/serving-graph.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Program, Runtime, Value } from "../src/runtime/runtime.ts";
import { nodeFiles } from "../src/storage/files/file-operations.ts";
import type { TypedValues } from "../src/tensor/tensor.ts";
import { evaluationShape, sortedBatches } from "../src/learning/sequences.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { corpusNgrams, readTexts, rowPrecision } from "./corpus-knowledge.ts";
import { machine, measure, medianRatio, round, spreadOf } from "./measure.ts";
import { benchConfig as config, randomValues, randomWeights } from "./random-base.ts";
import { corporaFolder } from "./tasks.ts";

const { hiddenSize } = config;
const precision = "int8";
/** Texts of other corpora, for the hit rates. */
const textCount = 2000;

export async function benchHierarchy({ isQuick, cacheFolder }: BenchOptions): Promise<BenchResult> {
  const folder = corporaFolder();
  if (folder === undefined) return { skipped: "the corpora are not beside this checkout" };
  const pulled = await openPulledBase(cacheFolder, "all-MiniLM-L6-v2");
  const tokenizer = await (await openBaseCheckpoint(pulled)).tokenizer();
  const { ngrams, heldOut } = await corpusNgrams({ tokenizer, corpora: folder });
  const unseen = {
    general: heldOut,
    encyclopedic: await readTexts(join(folder, "wikitext-2/test.txt"), tokenizer, textCount),
    biomedical: await readTexts(join(folder, "biomedical.txt"), tokenizer, textCount),
  };
  const table = noiseTable(ngrams);
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const speed = await measureSpeed(runtime, { table, texts: unseen.general, isQuick });
  await runtime.close();
  const tree = treeOf(table);
  const rates: Record<string, unknown> = {};
  for (const [name, texts] of Object.entries(unseen))
    rates[name] = roundedRates((await sumsOf(tree, texts)).hits);
  return {
    ...speed,
    hitRates: rates,
    loadSecondsPerGB: await measureLoad(),
    targets: { speedup: 1.6, coldSpeedup: 0.5 },
    rowCount: table.map.size,
    rowBytes: rowsBytes(table.rows),
    sizes: { cut: "3+3", precision, rows: rowPrecision, threadCount: 1, config },
    machine: machine(),
  };
}

interface SpeedTask {
  readonly table: LookupTable;
  readonly texts: readonly Int32Array[];
  readonly isQuick: boolean;
}

/** Each round passes one batch of unseen text through every arm. */
async function measureSpeed(
  runtime: Runtime,
  { table, texts, isQuick }: SpeedTask,
): Promise<BenchResult> {
  const weights = await hierarchicalWeights(runtime);
  const load = (source: "ids" | "sums"): Promise<Program> => {
    const graph = servingGraph(config, precision, { source, adapters: [] });
    return runtime.load(graph, { constants: constantsOf(graph, weights) });
  };
  const [dense, upper] = [await load("ids"), await load("sums")];
  const encoder = await loadNgramEncoder(runtime, { config, precision, weights });
  const [warm, cold] = [treeOf(table), treeOf(noiseTable(new Int32Array()))];
  const batches = sortedBatches(texts, { ...evaluationShape, tokensMax: 512 });
  const random = new SeededRandom(4);
  let batch: readonly Int32Array[] = [];
  let lookupMs = 0;
  const lookups: number[] = [];
  const next = async (): Promise<void> => {
    const chosen = batches[random.integer(batches.length)] ?? [];
    batch = chosen.flatMap((index) => texts[index] ?? []);
  };
  const hierarchical = async (tree: KnowledgeTree, compute?: NgramEncoder): Promise<void> => {
    const start = performance.now();
    const { sums, shape } = await sumsOf(tree, batch, compute);
    lookupMs = performance.now() - start;
    await upper.run({
      sums: { kind: "value", type: "float32", shape, values: sums },
      ...commonFeeds(batch),
    });
  };
  const times = await measure(
    {
      next,
      dense: () => dense.run({ ids: idsOf(batch), ...commonFeeds(batch) }),
      cold: () => hierarchical(cold, encoder),
      warm: async () => {
        await hierarchical(warm);
        lookups.push(lookupMs);
      },
    },
    { warmupCount: 5, roundCount: isQuick ? 60 : 400, budgetMs: isQuick ? 15_000 : 120_000 },
  );
  const warmLookups = lookups.slice(-times.warm.length);
  return {
    speedup: medianRatio(times.dense, times.warm),
    coldSpeedup: medianRatio(times.dense, times.cold),
    lookupShare: medianRatio(warmLookups, times.warm),
    milliseconds: {
      dense: spreadOf(times.dense),
      warm: spreadOf(times.warm),
      cold: spreadOf(times.cold),
      lookup: spreadOf(warmLookups),
    },
  };
}

/** Sums of slots of the texts as one padded batch, `[batch, sequence, hidden]`. */
async function sumsOf(
  tree: KnowledgeTree,
  texts: readonly Int32Array[],
  encoder?: NgramEncoder,
): Promise<{
  readonly sums: Float32Array<ArrayBuffer>;
  readonly shape: readonly number[];
  readonly hits: HitCounts;
}> {
  const { values, shape } = idsOf(texts);
  const [, sequence = 1] = shape;
  const spans = texts.map(({ length }, index) => ({ start: index * sequence, length, domain: 0 }));
  const ids = values as Int32Array; // made below
  return { shape: [...shape, hiddenSize], ...(await lookedUpSums(tree, { ids, spans }, encoder)) };
}

function idsOf(texts: readonly Int32Array[]): Value {
  const sequence = texts.reduce((longest, { length }) => Math.max(longest, length), 2);
  const values = new Int32Array(texts.length * sequence);
  for (const [index, text] of texts.entries()) values.set(text, index * sequence);
  return { kind: "value", type: "int32", shape: [texts.length, sequence], values };
}

/** The feeds that need no head: one label of zeros. */
function commonFeeds(texts: readonly Int32Array[]): Record<string, Value> {
  const batch = texts.length;
  const lengths = BigInt64Array.from(texts, ({ length }) => BigInt(length));
  const zeros = (shape: readonly number[]): Value => ({
    kind: "value",
    type: "float32",
    shape,
    values: new Float32Array(elementCount(shape)),
  });
  return {
    lengths: { kind: "value", type: "int64", shape: [batch], values: lengths },
    isCls: { kind: "value", type: "bool", shape: [batch], values: new Uint8Array(batch) },
    outputCounts: {
      kind: "value",
      type: "int64",
      shape: [batch],
      values: new BigInt64Array(batch),
    },
    "head.weight": zeros([batch, 1, hiddenSize]),
    "head.bias": zeros([batch, 1]),
  };
}

/** A base of random weights with a tri-gram part of others. */
async function hierarchicalWeights(runtime: Runtime): Promise<ReadonlyMap<string, TypedValues>> {
  const weights = new Map(await randomWeights(runtime));
  const quantizer = await runtime.load(quantizeGraph());
  for (const { name, shape, linear } of hierarchyWeights(config, false)) {
    const values = randomValues(shape, weights.size);
    weights.set(name, values);
    if (linear === undefined) continue;
    const stored = { shape: shape.toReversed(), values: values.slice() };
    for (const [form, array] of await linearForms(quantizer, stored))
      weights.set(`${linear}.${form}`, array);
  }
  await quantizer.release();
  return weights;
}

function treeOf(table: LookupTable): KnowledgeTree {
  return new KnowledgeTree([{ name: "general", parent: undefined, table }]);
}

/** The same million numbers again and again. */
function noiseTable(ngrams: Int32Array): LookupTable {
  const map = numberNgrams(ngrams);
  const rows = allocateRows({ precision: rowPrecision, hiddenSize }, 1 + map.size);
  const random = new SeededRandom(8);
  const noise = Int8Array.from({ length: 1 << 20 }, () => random.integer(255) - 127);
  for (const block of rows.blocks)
    for (let start = 0; start < block.length; start += noise.length)
      block.set(noise.subarray(0, block.length - start), start);
  rows.scales.fill(1 / 127);
  return { map, rows };
}

/** The time that a table of a third of a gigabyte takes which was just written. */
async function measureLoad(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "strata-table-"));
  try {
    const path = join(folder, "general.table");
    const ngrams = Int32Array.from({ length: 300_000 }, (_, index) => 1 + Math.floor(index / 3));
    const table = noiseTable(ngrams);
    const origin = { base: digestOf(new Uint8Array()), parent: null };
    await writeTable(path, { table, origin }, nodeFiles);
    const { size } = await stat(path);
    const start = performance.now();
    await readTable(path);
    return round((performance.now() - start) / 1000 / (size / 1e9));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Shares of all positions, in [0, 1]; of no positions, 0. */
function roundedRates(hits: HitCounts): Readonly<Record<string, number>> {
  const known = hits.trigram + hits.bigram + hits.unigram;
  const count = Math.max(1, known + hits.none);
  return { hitRateTri: round(hits.trigram / count), hitRateAny: round(known / count) };
}
