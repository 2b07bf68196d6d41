/** Distillation: what it reads, that it learns, that it resumes; and tables equal computing. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import {
  inputsAmong,
  randomFloats,
  smallConfig,
  smallWeights,
} from "../checkpoints/exam-encoder.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { EncoderScope } from "../models/encoder-scope.ts";
import { distillationStep } from "../models/distillation-graph.ts";
import { mergedState, ngramSlots, slotSums } from "../models/hierarchy.ts";
import { CountingRuntime } from "../runtime/exam-counting.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { float32Result, type Value } from "../runtime/runtime.ts";
import { Graph, type Tensor, type TypedValues } from "../tensor/tensor.ts";
import type { DistillationOptions, SavePoint } from "./distillation.ts";
import { learn } from "./exam-distil.ts";
import { ngramFeeds } from "./ngram-batch.ts";

const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
after(() => runtime.close());

const options: DistillationOptions = {
  learningRate: 0.02,
  batchTokensMax: 48,
  stepCount: 40,
  shares: { unigrams: 1, bigrams: 0.5, trigrams: 0.3 },
  lookedUpShare: 0.7,
  upperRateFactor: 0.5,
  seed: 3,
  savePointStepCount: 20,
};

describe("n-grams of a batch", () => {
  const texts = [Int32Array.of(1, 5, 2), Int32Array.of(1, 5)];

  it("names each distinct tri-gram once, and the slots of every token", () => {
    const { ngrams, indices, ids, lengths } = ngramFeeds(texts);
    assert.deepEqual(rowsOf(ngrams, 3), [
      [0, 1, 5],
      [1, 5, 2],
      [5, 2, 0],
      [1, 5, 0],
    ]);
    assert.deepEqual(rowsOf(ids, 3), [
      [1, 5, 2],
      [1, 5, 0],
    ]);
    assert.deepEqual(lengths?.values, BigInt64Array.of(3n, 2n));
    // Slot s of n-gram n is row 3 n + s: own middle, the next one's left, the right before.
    assert.deepEqual(rowsOf(indices, 3), [
      [1, 3, -1],
      [4, 6, 2],
      [7, -1, 5],
      [1, 9, -1],
      [10, -1, 2],
      [-1, -1, -1],
    ]);
  });

  it("shows pads for the neighbours that are hidden, and names what is then equal once", () => {
    const hidden = [Uint8Array.of(0, 1, 3), Uint8Array.of(2, 1)];
    const { ngrams, indices } = ngramFeeds(texts, hidden);
    assert.deepEqual(rowsOf(ngrams, 3), [
      [0, 1, 5],
      [0, 5, 2],
      [0, 2, 0],
      [0, 1, 0],
      [0, 5, 0],
    ]);
    assert.deepEqual(rowsOf(indices, 3).at(1), [4, 6, 2]);
  });
});

describe("the hierarchical form", () => {
  it("gives from kept rows, added up elsewhere, what it computes directly", async () => {
    const texts = [Int32Array.of(1, 5, 2, 7, 7), Int32Array.of(4, 5)];
    const feeds = ngramFeeds(texts);
    const { ids, lengths, ngrams, indices } = feeds;
    assert.ok(ids && lengths && ngrams && indices);
    const direct = await run({ ngrams, indices }, (scope, input) => {
      const slots = ngramSlots(scope, input("ngrams", "int32", ["ngrams", 3]));
      return mergedState(scope, slotSums(slots, input("indices", "int32", ["b", "s", 3])));
    });
    const kept: Float32Array[] = [];
    for (const ngram of rowsOf(ngrams, 3)) {
      const one: Value = {
        kind: "value",
        type: "int32",
        shape: [1, 3],
        values: Int32Array.from(ngram),
      };
      const rows = await run({ ngrams: one }, (scope, input) =>
        ngramSlots(scope, input("ngrams", "int32", ["ngrams", 3])),
      );
      for (const slot of [0, 1, 2]) kept.push(rows.slice(slot * 8, slot * 8 + 8));
    }
    const values = rowsOf(indices, 3).flatMap((slots) => sumOf(kept, slots));
    const merged = await run(
      {
        sums: {
          kind: "value",
          type: "float32",
          shape: [2, 5, 8],
          values: Float32Array.from(values),
        },
      },
      (scope, input) => mergedState(scope, input("sums", "float32", ["b", "s", 8])),
    );
    assert.equal(merged.length, direct.length);
    for (const [index, value] of merged.entries())
      assert.ok(Math.abs(value - (direct[index] ?? NaN)) < 2e-6, `value ${index}`);
  });
});

describe("distillation", () => {
  const texts = randomTexts(9);

  it("brings every supervised state nearer to the base's", async () => {
    const { curve } = await learn(runtime, { options, texts });
    const [first, last] = [curve.at(0), curve.at(-1)];
    assert.deepEqual(
      curve.map(({ step }) => step),
      [0, 20, 40],
    );
    assert.equal(first?.errors.length, 3);
    for (const [index, error] of (last?.errors ?? []).entries())
      assert.ok(error < 0.7 * (first?.errors[index] ?? 0), `state ${index}: ${error}`);
    assert.ok((last?.cosine ?? 0) > (first?.cosine ?? 1));
  });

  it("releases what it has loaded, at its end and where it is stopped", async () => {
    const counting = new CountingRuntime(runtime);
    await smallWeights(counting);
    const ownCount = counting.heldCount;
    await learn(counting, { options, texts });
    await learn(counting, { options, texts, stopAt: 20 });
    assert.equal(counting.heldCount, 3 * ownCount);
    assert.ok(counting.mostHeldCount >= 2);
  });

  it("ends with the same bits after a stop in the middle", async () => {
    const whole = await learn(runtime, { options, texts });
    const half = await learn(runtime, { options, texts, stopAt: 20 });
    assert.equal(half.curve.at(-1)?.step, 20);
    const resumed = await learn(runtime, { options, texts, from: half });
    assert.deepEqual(resumed.curve, whole.curve);
    for (const [name, { values }] of whole.values)
      assert.deepEqual(resumed.values.get(name)?.values, values, name);
  });

  it("goes on from another's weights with a fresh optimiser, and leaves their merge", async () => {
    const start = await learn(runtime, { options, texts });
    const domain = await learn(runtime, { options, texts: randomTexts(10), start });
    const [first, last] = [domain.curve.at(0), domain.curve.at(-1)];
    assert.ok((last?.errors[0] ?? 1) < 0.9 * (first?.errors[0] ?? 0));
    const isMoment = (name: string): boolean => /\.(mean|square)$/.test(name);
    const names = [...start.values.keys()].filter((name) => !isMoment(name));
    assert.deepEqual(
      [...domain.values.keys()].filter((name) => !isMoment(name)).sort(),
      names.sort(),
    );
    for (const name of names) {
      const [before, after] = [start, domain].map(({ values }) => values.get(name)?.values);
      if (name.startsWith("ngram.merge.")) assert.deepEqual(after, before, name);
      else assert.notDeepEqual(after, before, name);
    }
    const again = await learn(runtime, { options, texts: randomTexts(10), start });
    assert.deepEqual(again.curve, domain.curve);
  });

  it("learns upper layers where that is asked for, and comes nearer by it", async () => {
    const whole = await learn(runtime, { options, texts });
    // What lies below cannot make up for a top norm that is too small.
    const name = "layer.2.outer.norm.gain";
    const gain = (await smallWeights(runtime)).get(name);
    assert.ok(gain instanceof Float32Array);
    const values = gain.map((value) => 0.7 * value);
    const damaged = { kind: "value", type: "float32", shape: [gain.length], values } as const;
    const start = { ...whole, values: new Map([...whole.values, [name, damaged]]) };
    const [frozen, moved] = [
      await learn(runtime, { options, texts, start, learns: "merge" }),
      await learn(runtime, { options, texts, start, learns: "upper" }),
    ];
    const top = ({ curve }: SavePoint): number => curve.at(-1)?.errors.at(-1) ?? NaN;
    assert.ok(top(moved) < top(frozen) / 2, `${top(moved)} against ${top(frozen)}`);
    const names = [...moved.values.keys()].filter((name) => !frozen.values.has(name));
    assert.ok(names.includes("layer.1.query.weight") && names.includes("layer.2.outer.bias"));
    assert.ok(
      names.every((name) => /^layer\.[12]\./.test(name)),
      names.join(),
    );
  });

  it("learns the merge of a first form alone, and nothing of the base", () => {
    const merge = ["ngram.merge.position", "ngram.merge.norm.gain", "ngram.merge.norm.bias"];
    const { learned } = distillationStep(smallConfig, "merge");
    assert.ok(learned.every((name) => name.startsWith("ngram.")));
    const kept = distillationStep(smallConfig, "ngrams").learned;
    assert.deepEqual(
      learned.filter((name) => !kept.includes(name)),
      merge,
    );
  });
});

function randomTexts(seed: number): readonly Int32Array[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: 60 }, () =>
    Int32Array.from({ length: 4 + random.integer(8) }, () => 1 + random.integer(12)),
  );
}

/** Runs a piece of the hierarchical form with random weights, the same in every call. */
async function run(
  feeds: Record<string, Value>,
  build: (scope: EncoderScope, input: Graph["input"]) => Tensor,
): Promise<Float32Array> {
  const graph = new Graph();
  const scope: EncoderScope = {
    graph,
    config: smallConfig,
    precision: "fp32",
    isDifferentiated: false,
  };
  graph.output("out", build(scope, graph.input.bind(graph)));
  const constants = new Map<string, TypedValues>(inputsAmong(graph, await smallWeights(runtime)));
  for (const [name, { shape }] of graph.inputs)
    if (name.startsWith("ngram.")) constants.set(name, weightOf(name, shape.map(Number)));
  const program = await runtime.load(graph, { constants });
  const results = await program.run(structuredClone(feeds));
  await program.release();
  return float32Result(results, "out").values;
}

/** The sum of rows of width 8; -1 adds nothing. */
function sumOf(rows: readonly Float32Array[], chosen: readonly number[]): readonly number[] {
  return Array.from({ length: 8 }, (_, place) =>
    chosen.reduce((sum, row) => sum + (rows[row]?.[place] ?? 0), 0),
  );
}

function weightOf(name: string, shape: readonly number[]): TypedValues {
  const stream = Buffer.from(name).reduce((sum, byte) => (31 * sum + byte) % 65_521, 7);
  return randomFloats(shape, { stream, deviation: 0.4 }).values;
}

function rowsOf(value: Value | undefined, width: number): readonly (readonly number[])[] {
  const values = [...((value?.values ?? []) as Int32Array)]; // int32 in these tests
  return Array.from({ length: values.length / width }, (_, row) =>
    values.slice(row * width, (row + 1) * width),
  );
}
