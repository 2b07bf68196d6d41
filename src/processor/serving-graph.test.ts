/** The graphs of serving, run: they know no runtime, so that their exam is here. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { elementCount } from "../foundation/element-count.ts";
import type { Precision } from "../entities/base-model.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { ReferenceRuntime } from "../runtime/reference/reference.ts";
import type { Results, Runtime, Value } from "../runtime/runtime.ts";
import { reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import {
  adapterKinds,
  adapterTensors,
  formsIn,
  rowsInput,
  upperBottleneck,
  upperForm,
} from "../models/adapters/adapters.ts";
import { upperPart } from "../models/encoder.ts";
import { headTensors, pool, pooledHead } from "../models/head.ts";
import { servingGraph, shallowGraph } from "../models/serving-graph.ts";
import {
  inputsAmong,
  randomFloats,
  smallConfig,
  smallWeights,
} from "../checkpoints/exam-encoder.ts";

const [batch, sequence, outputCount] = [3, 6, 4];
const { hiddenSize: hidden } = smallConfig;

interface Case {
  readonly rank: number;
  readonly adapters?: readonly AdapterForm[];
  /** Gives the values of an adapter's or head's tensor, `[batch, …]`. */
  learned?(name: string, shape: readonly number[]): Value;
}

/** Feeds of a batch whose third sequence is padded, and whose second has two labels less. */
function feedsOf(options: Case): Record<string, Value> {
  const { rank, learned = randomLearned, adapters = formsIn([1, 2]) } = options;
  const tensors = [
    ...adapters.flatMap(({ kind, layers }) =>
      adapterKinds[kind].pooledTensors(smallConfig, { rank, layers }),
    ),
    ...headTensors(smallConfig, outputCount),
  ];
  const rows = (): Value => ({
    kind: "value",
    type: "int32",
    shape: [batch],
    values: Int32Array.from({ length: batch }, (_, row) => row),
  });
  const ids = Int32Array.from({ length: batch * sequence }, (_, index) => (index * 5) % 13);
  const counts = BigInt64Array.of(4n, 2n, 4n);
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    lengths: { kind: "value", type: "int64", shape: [batch], values: BigInt64Array.of(6n, 6n, 3n) },
    isCls: { kind: "value", type: "bool", shape: [batch], values: Uint8Array.of(0, 1, 0) },
    outputCounts: { kind: "value", type: "int64", shape: [batch], values: counts },
    ...Object.fromEntries(adapters.map(({ kind }) => [rowsInput(kind), rows()])),
    ...Object.fromEntries(
      tensors.map(({ name, shape }) => [name, learned(name, [batch, ...shape])]),
    ),
  };
}

function randomLearned(name: string, shape: readonly number[]): Value {
  return randomFloats(shape, { stream: 1000 + name.length * 7 + name.charCodeAt(8) });
}

async function serve(runtime: Runtime, options: Case) {
  const graph = servingGraph(smallConfig, "fp32", { adapters: formsIn([1, 2]), ...options });
  const constants = inputsAmong(graph, await smallWeights(runtime));
  const feeds = Object.entries(feedsOf(options)).filter(([name]) => graph.inputs.has(name));
  return (await runtime.load(graph, { constants })).run(Object.fromEntries(feeds));
}

function differenceOf(a: Results, b: Results): number {
  let most = 0;
  assert.deepEqual(Object.keys(a).toSorted(), Object.keys(b).toSorted());
  for (const [name, { values }] of Object.entries(a)) {
    const others = b[name]?.values ?? [];
    assert.equal(values.length, others.length);
    for (const [index, value] of values.entries()) {
      const difference = Math.abs(Number(value) - Number(others[index]));
      most = difference <= most ? most : difference; // NaN stays
    }
  }
  return most;
}

/** The upper part, from a hidden state to what a serving graph gives. */
function upperGraph(): Graph {
  const graph = new Graph();
  const rows = graph.input("state", "float32", ["batch", "sequence", hidden]);
  const state = reshape(rows, ["batch*sequence", hidden]);
  const lengths = graph.input("lengths", "int64", ["batch"]);
  const isCls = graph.input("isCls", "bool", ["batch"]);
  const scope = { graph, config: smallConfig, precision: "fp32", isDifferentiated: false } as const;
  const top = upperPart(scope, { state, lengths, sequence: "sequence" });
  graph.output(
    "probabilities",
    pooledHead(graph, pool({ state: top, lengths, sequence: "sequence", isCls })),
  );
  return graph;
}

describe("the serving graph", () => {
  const reference = new ReferenceRuntime();

  it("gives the same on ONNX Runtime as on the reference", async () => {
    const ort = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    for (const rank of [1, 5, 16, 40]) {
      const difference = differenceOf(await serve(ort, { rank }), await serve(reference, { rank }));
      assert.ok(difference <= 1e-5, `rank ${rank}: ${difference}`);
    }
    await ort.close();
  });

  it("equals the shallow part followed by the upper part", async () => {
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const weights = await smallWeights(runtime);
    const { ids, lengths, isCls, ...learned } = feedsOf({ rank: 1 });
    assert.ok(ids !== undefined && lengths !== undefined && isCls !== undefined);
    const copied = (value: Value): Value => ({ ...value, values: value.values.slice() });
    const shallow = shallowGraph(smallConfig, "fp32");
    const lower = await runtime.load(shallow, { constants: inputsAmong(shallow, weights) });
    const { state } = await lower.run({ ids: copied(ids), lengths: copied(lengths) });
    assert.ok(state);
    assert.deepEqual(state.shape, [batch, sequence, hidden]);
    const upper = upperGraph();
    const program = await runtime.load(upper, { constants: inputsAmong(upper, weights) });
    const head = Object.entries(learned).filter(([name]) => upper.inputs.has(name));
    const cut = await program.run({
      state,
      lengths: copied(lengths),
      isCls: copied(isCls),
      ...Object.fromEntries(head),
    });
    const whole = await serve(runtime, { rank: 1, adapters: [] });
    assert.ok(whole["probabilities"]);
    const difference = differenceOf(cut, { probabilities: whole["probabilities"] });
    assert.ok(difference <= 1e-6, `${difference}`);
    await runtime.close();
  });

  it("gives probabilities that add up to 1 over a sequence's own labels", async () => {
    const { probabilities } = await serve(reference, { rank: 2 });
    assert.deepEqual(probabilities?.shape, [batch, outputCount]);
    const rows = [0, 1, 2].map((row) =>
      Array.from(probabilities?.values ?? [], Number).slice(
        row * outputCount,
        (row + 1) * outputCount,
      ),
    );
    for (const row of rows) assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-6);
    assert.deepEqual(rows[1]?.slice(2), [0, 0]);
    assert.ok(rows[0]?.every((share) => share > 0));
  });

  it("gives embeddings of length 1", async () => {
    const { embeddings } = await serve(reference, { rank: 2 });
    const values = Array.from(embeddings?.values ?? [], Number);
    for (let row = 0; row < batch; row++) {
      const norm = Math.hypot(...values.slice(row * hidden, (row + 1) * hidden));
      assert.ok(Math.abs(norm - 1) < 1e-6, `row ${row}: ${norm}`);
    }
  });
});

describe("the serving graph of tokens", () => {
  const rank = 5;
  const sequenceLengths = [6, 6, 3];
  const outputCounts = [4, 2, 4];

  async function tokensOf(runtime: Runtime, feeds: Record<string, Value>, precision: Precision) {
    const graph = servingGraph(smallConfig, precision, {
      adapters: formsIn([1, 2]),
      task: "token",
    });
    const program = await runtime.load(graph, {
      constants: inputsAmong(graph, await smallWeights(runtime)),
    });
    const own = Object.entries(feeds).filter(([name]) => graph.inputs.has(name));
    const { probabilities } = await program.run(Object.fromEntries(own));
    assert.ok(probabilities);
    return probabilities;
  }

  /** One sequence of the batch with its own adapter and head, without padding. */
  function alone(index: number): Record<string, Value> {
    const [length = 0, count = 0] = [sequenceLengths[index], outputCounts[index]];
    const cut = ([name, value]: [string, Value]): [string, Value] => {
      const { shape, values } = value;
      const width = values.length / batch;
      const row = values.slice(index * width, (index + 1) * width);
      const own = [1, ...shape.slice(1)];
      if (name.endsWith(".rows")) return [name, { ...value, shape: own, values: Int32Array.of(0) }];
      if (name === "ids")
        return [name, { ...value, shape: [1, length], values: row.slice(0, length) }];
      if (!name.startsWith("head.")) return [name, { ...value, shape: own, values: row }];
      const kept = row.slice(0, (count * width) / outputCount);
      return [name, { ...value, shape: [1, count, ...shape.slice(2)], values: kept }];
    };
    return Object.fromEntries(Object.entries(feedsOf({ rank })).map(cut));
  }

  for (const precision of ["fp32", "int8"] as const)
    it(`gives a sequence in a mixed batch what it gives it alone: ${precision}`, async () => {
      const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
      const mixed = await tokensOf(runtime, feedsOf({ rank }), precision);
      assert.deepEqual(mixed.shape, [batch, sequence, outputCount]);
      for (const [index, length] of sequenceLengths.entries()) {
        const own = await tokensOf(runtime, alone(index), precision);
        const count = outputCounts[index] ?? 0;
        assert.deepEqual(own.shape, [1, length, count]);
        for (let token = 0; token < length; token++)
          for (let label = 0; label < outputCount; label++) {
            const shared = mixed.values[(index * sequence + token) * outputCount + label];
            const single = label < count ? own.values[token * count + label] : 0;
            const difference = Math.abs(Number(shared) - Number(single));
            assert.ok(difference <= 1e-6, `${index} ${token} ${label}: ${difference}`);
          }
      }
      await runtime.close();
    });

  it("gives the first token what a head on the first token's state gives", async () => {
    const feeds = feedsOf({ rank });
    const values = new Uint8Array(batch).fill(1);
    const isCls: Value = { kind: "value", type: "bool", shape: [batch], values };
    const runtime = new ReferenceRuntime();
    const graph = servingGraph(smallConfig, "fp32", { adapters: formsIn([1, 2]) });
    const constants = inputsAmong(graph, await smallWeights(runtime));
    const { probabilities } = await (
      await runtime.load(graph, { constants })
    ).run({
      ...feeds,
      isCls,
    });
    const tokens = await tokensOf(runtime, feeds, "fp32");
    for (let row = 0; row < batch; row++) {
      const start = row * sequence * outputCount;
      assert.deepEqual(
        tokens.values.slice(start, start + outputCount),
        probabilities?.values.slice(row * outputCount, (row + 1) * outputCount),
      );
    }
  });

  it("starts from states as it starts from ids", async () => {
    const runtime = new ReferenceRuntime();
    const shallow = shallowGraph(smallConfig, "fp32");
    const weights = await smallWeights(runtime);
    const { ids, ...feeds } = feedsOf({ rank });
    const { lengths } = feeds;
    assert.ok(ids && lengths);
    const lower = await runtime.load(shallow, { constants: inputsAmong(shallow, weights) });
    const { state } = await lower.run({ ids, lengths });
    assert.ok(state);
    const { isCls: _, ...learned } = feeds;
    const graph = servingGraph(smallConfig, "fp32", {
      adapters: formsIn([1, 2]),
      ...{ task: "token", source: "states" },
    });
    const upper = await runtime.load(graph, { constants: inputsAmong(graph, weights) });
    const { probabilities } = await upper.run({ ...learned, states: state });
    const whole = await tokensOf(runtime, feedsOf({ rank }), "fp32");
    assert.ok(probabilities);
    assert.ok(differenceOf({ probabilities }, { probabilities: whole }) <= 1e-6);
  });
});

describe("a served adapter", () => {
  const reference = new ReferenceRuntime();

  it("changes nothing when its way up is zero, and something when it is not", async () => {
    const without = await serve(reference, { rank: 4, adapters: [] });
    const isUp = (name: string): boolean => /\.(up|up\.bias|b)$/.test(name);
    const idle = await serve(reference, {
      rank: 4,
      learned: (name, shape) =>
        isUp(name) ? randomFloats(shape, { stream: 0, deviation: 0 }) : randomLearned(name, shape),
    });
    assert.equal(differenceOf(idle, without), 0);
    const active = await serve(reference, { rank: 4 });
    assert.ok(differenceOf(active, without) > 1e-3);
  });

  it("of rank 8 equals itself padded with zeros to rank 64", async () => {
    const adapter = adapterTensors(smallConfig, upperBottleneck(smallConfig, 8));
    const ranked = new Map(adapter.map(({ name, shape }) => [name, shape]));
    // Rows of the real adapter first, zeros behind, in whatever shape the graph reads them.
    const padded = (name: string, shape: readonly number[]): Value => {
      const real = ranked.get(name);
      if (real === undefined) return randomLearned(name, shape);
      const count = elementCount(real);
      const source = randomFloats([batch, ...real], { stream: name.length });
      const width = elementCount(shape.slice(1));
      const values = new Float32Array(batch * width);
      for (let row = 0; row < batch; row++)
        values.set(source.values.subarray(row * count, (row + 1) * count), row * width);
      return { kind: "value", type: "float32", shape, values };
    };
    const adapters = [upperForm(smallConfig)];
    const narrow = await serve(reference, { rank: 8, learned: padded, adapters });
    const wide = await serve(reference, { rank: 64, learned: padded, adapters });
    assert.ok(differenceOf(narrow, wide) <= 1e-7);
  });
});
