import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { randomFloats, smallConfig, smallWeights } from "../checkpoints/exam-encoder.ts";
import { chooseNgrams, NgramCounter } from "../knowledge/counting.ts";
import type { NgramEncoder } from "../knowledge/knowledge.ts";
import { KnowledgeTree } from "../knowledge/knowledge-tree.ts";
import { buildTable } from "../knowledge/lookup-table.ts";
import { loadNgramEncoder } from "../knowledge/ngram-encoder.ts";
import type { EncoderScope } from "../models/encoder-scope.ts";
import { hierarchyWeights } from "../models/hierarchical-states.ts";
import { mergedState, ngramSlots, slotSums } from "../models/hierarchy.ts";
import { ReferenceRuntime } from "../runtime/reference/reference.ts";
import { float32Result, type Program } from "../runtime/runtime.ts";
import { Graph, type TypedValues } from "../tensor/tensor.ts";
import { loadMerge, lookedUpStates } from "./looked-up-states.ts";
import { ngramFeeds } from "./ngram-batch.ts";

const runtime = new ReferenceRuntime();
const texts = [[1, 5, 7, 2], [1, 5, 9, 12, 5, 7, 2], [1, 2], [3]].map((ids) =>
  Int32Array.from(ids),
);

let weights: ReadonlyMap<string, TypedValues>;
let encoder: NgramEncoder;
let merge: Program;
before(async () => {
  const all = new Map(await smallWeights(runtime));
  for (const { name, shape, role } of hierarchyWeights(smallConfig, false)) {
    const mean = role === "gain" ? 1 : 0;
    all.set(name, randomFloats(shape, { stream: all.size, mean, deviation: 0.4 }).values);
  }
  weights = all;
  const base = { config: smallConfig, precision: "fp32", weights } as const;
  encoder = await loadNgramEncoder(runtime, base);
  merge = await loadMerge(runtime, base);
});

function load(graph: Graph): Promise<Program> {
  const constants = new Map([...weights].filter(([name]) => graph.inputs.has(name)));
  return runtime.load(graph, { constants });
}

/** The state between the parts as one graph computes it, tri-grams and all, of one text. */
async function computed(text: Int32Array): Promise<Float32Array> {
  const graph = new Graph();
  const scope: EncoderScope = {
    ...{ graph, config: smallConfig, precision: "fp32", isDifferentiated: false },
  };
  const ngrams = graph.input("ngrams", "int32", ["ngrams", 3]);
  const indices = graph.input("indices", "int32", ["batch", "sequence", 3]);
  graph.output("state", mergedState(scope, slotSums(ngramSlots(scope, ngrams), indices)));
  const feeds = Object.entries(ngramFeeds([text])).filter(([name]) => graph.inputs.has(name));
  const results = await (await load(graph)).run(Object.fromEntries(feeds));
  return float32Result(results, "state").values;
}

/** A tree of one table, of the n-grams of these texts. */
async function knowledgeOf(known: readonly Int32Array[]): Promise<KnowledgeTree> {
  const counter = new NgramCounter();
  for (const text of known) counter.add(text);
  const ngrams = chooseNgrams(counter, { unigrams: 0, bigrams: 0, trigrams: 1 });
  const shape = { precision: "fp16", hiddenSize: smallConfig.hiddenSize } as const;
  const table = await buildTable(ngrams, { shape, encoder });
  return new KnowledgeTree([{ name: "general", parent: undefined, table }]);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  assert.equal(a.length, b.length);
  return a.reduce((worst, value, index) => Math.max(worst, Math.abs(value - (b[index] ?? NaN))), 0);
}

/** The error of sums of halves near 1, after a norm whose gains are near 1. */
const halfPrecision = 5e-3;

describe("states by look-up", () => {
  it("are those of the direct computation when every tri-gram is there", async () => {
    const source = { knowledge: await knowledgeOf(texts), domain: 0, merge };
    const found = await lookedUpStates(texts, source);
    for (const [index, text] of texts.entries()) {
      const difference = largestDifference(
        found[index] ?? new Float32Array(),
        await computed(text),
      );
      assert.ok(difference < halfPrecision, `text ${index} differs by ${difference}`);
    }
  });

  it("have the same bits whether a tri-gram was there or is computed", async () => {
    const resident = { knowledge: await knowledgeOf(texts), domain: 0, merge };
    const cold = { knowledge: await knowledgeOf(texts.slice(0, 1)), domain: 0, merge, encoder };
    assert.deepEqual(await lookedUpStates(texts, cold), await lookedUpStates(texts, resident));
  });

  it("are others where tri-grams are missing and nothing computes them", async () => {
    const [, longest = new Int32Array()] = texts;
    const lacking = { knowledge: await knowledgeOf(texts.slice(0, 1)), domain: 0, merge };
    const [state = new Float32Array()] = await lookedUpStates([longest], lacking);
    assert.ok(largestDifference(state, await computed(longest)) > 20 * halfPrecision);
  });
});
