/**
 * The exam of every `AdapterKind`: what the interface promises, asked of both its forms within an
 * encoder of three layers, all of which it adapts. Gradients are examined with the training step.
 */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { inputsAmong, smallConfig, smallWeights } from "../checkpoints/exam-encoder.ts";
import type { Precision } from "../entities/base-model.ts";
import { limits } from "../foundation/limits.ts";
import type { AdapterKind } from "../models/adapter-kind.ts";
import { adapterKinds, allLayers, formsIn } from "../models/adapters/adapters.ts";
import { sequenceInputs, shallowPart, upperPart } from "../models/encoder.ts";
import { pool, sharedHead } from "../models/head.ts";
import { servingGraph } from "../models/serving-graph.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import type { Value } from "../runtime/runtime.ts";
import { factors } from "../tensor/dimension.ts";
import { softmax } from "../tensor/operators/neural.ts";
import { Graph } from "../tensor/tensor.ts";
import { ExamRows, rowOutputCount, type RowOptions } from "./exam-rows.ts";
import type { BatchRow } from "./lane.ts";
import { textFeeds } from "./batch-feeds.ts";

const layers = allLayers(smallConfig);
const precisions = ["fp32", "int8"] as const;

export function examineAdapterKind(kind: AdapterKind): void {
  void describe(`${kind.name} as a kind of adapter`, () => {
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    after(() => runtime.close());
    const bench = new Bench(runtime, kind);

    void it("shares no name with another kind, of a tensor or of an open dimension", () => {
      const own = namesOf(kind);
      for (const other of Object.values(adapterKinds))
        if (other !== kind)
          assert.deepEqual(
            [...namesOf(other)].filter((name) => own.has(name)),
            [],
            other.name,
          );
    });

    void it("has a usual rank within the limit", () => {
      assert.ok(Number.isInteger(kind.usualRank));
      assert.ok(kind.usualRank >= 1 && kind.usualRank <= limits.adapterRankMax);
    });

    for (const precision of precisions) {
      void it(`begins as the identity: ${precision}`, async () => {
        const [plain] = await bench.serve([bench.row({ rank: 0 })], precision);
        const [fresh] = await bench.serve([bench.row({ rank: 5, isFresh: true })], precision);
        assert.deepEqual(fresh, plain);
        const [learned] = await bench.serve([bench.row({ rank: 5 })], precision);
        assert.notDeepEqual(learned, plain);
      });

      void it(`is padded with zeros, which change no bit: ${precision}`, async () => {
        for (const rank of [1, 8, 17]) {
          const row = bench.row({ rank });
          // Beside a neighbour, since the number of rows has a part in the order of sums.
          const [own] = await bench.serve([row, bench.row({ rank })], precision);
          const [padded] = await bench.serve([row, bench.row({ rank: 64 })], precision);
          assert.deepEqual(padded, own, `rank ${rank}`);
        }
      });

      void it(`gives each row among all kinds what it gets alone: ${precision}`, async () => {
        const rows = [0, 3, 16, 0, 40].map((rank, index) => bench.row({ rank, length: 3 + index }));
        const others = formsIn(layers).map(({ kind: other }) =>
          bench.row({ rank: 9, kind: other }),
        );
        const mixed = [...rows, ...others];
        const together = await bench.serve(mixed, precision);
        for (const [index, row] of mixed.entries()) {
          const [alone = []] = await bench.serve([row], precision);
          const most = Math.max(
            ...alone.map((x, i) => Math.abs(x - (together[index]?.[i] ?? NaN))),
          );
          assert.ok(most <= 1e-6, `row ${index}: ${most}`);
        }
      });

      void it(`is served as it is trained: ${precision}`, async () => {
        for (const rank of [1, 12]) {
          const row = bench.row({ rank });
          const [pooled = []] = await bench.serve([row], precision);
          const shared = await bench.train(row, precision);
          const most = Math.max(...pooled.map((x, i) => Math.abs(x - (shared[i] ?? NaN))));
          assert.ok(most <= 1e-5, `rank ${rank}: ${most}`);
        }
      });
    }
  });
}

/** Names that a kind brings into a graph with others: those that it is given are not its own. */
function namesOf(kind: AdapterKind): ReadonlySet<string> {
  const given = new Set(["batch", "sequence", "ownRows"]);
  const graph = new Graph();
  const place = { layers, batch: "batch", sequence: "sequence" };
  kind.pooled(graph, smallConfig, { ...place, rows: graph.input("rows", "int32", ["ownRows"]) });
  const names = new Set(kind.tensors(smallConfig, { rank: 2, layers }).map(({ name }) => name));
  for (const { name } of kind.pooledTensors(smallConfig, { rank: 2, layers })) names.add(name);
  for (const { shape } of graph.inputs.values())
    for (const [, ...symbols] of shape.flatMap((dimension) => factors(dimension)))
      for (const symbol of symbols) if (!given.has(symbol)) names.add(symbol);
  return names;
}

class Bench {
  readonly #runtime: OrtRuntime;
  readonly #kind: AdapterKind;
  readonly #rows = new ExamRows();

  constructor(runtime: OrtRuntime, kind: AdapterKind) {
    this.#runtime = runtime;
    this.#kind = kind;
  }

  /** A sequence with an adapter of the kind, or of another one, in all layers. */
  row({ kind = this.#kind.name, ...options }: Partial<RowOptions> & Pick<RowOptions, "rank">) {
    return this.#rows.row({ kind, ...options });
  }

  /** Each row's probabilities by the serving graph. */
  async serve(rows: readonly BatchRow[], precision: Precision): Promise<readonly number[][]> {
    const adapters = formsIn(layers);
    const graph = servingGraph(smallConfig, precision, { adapters });
    const constants = inputsAmong(graph, await smallWeights(this.#runtime));
    const program = await this.#runtime.load(graph, { constants });
    const feeds = textFeeds(smallConfig, rows, { memory: this.#rows.memory, adapters });
    const { probabilities } = await program.run(feeds);
    await program.release();
    const values = Array.from(probabilities?.values ?? [], Number);
    return rows.map((_, row) => values.slice(row * rowOutputCount, (row + 1) * rowOutputCount));
  }

  /** The row's probabilities by the form that is trained. */
  async train({ ids, resident }: BatchRow, precision: Precision): Promise<readonly number[]> {
    const graph = new Graph();
    const sites = this.#kind.shared(graph, smallConfig, layers);
    const config = smallConfig;
    const scope = { graph, config, precision, isDifferentiated: false, sites } as const;
    const inputs = sequenceInputs(graph);
    const { lengths } = inputs;
    const sequence = "sequence";
    const state = upperPart(scope, { state: shallowPart(scope, inputs), lengths, sequence });
    const isCls = graph.input("isCls", "bool", ["batch"]);
    const logits = sharedHead(graph, pool({ state, lengths, sequence, isCls }));
    graph.output("probabilities", softmax(logits));
    const constants = inputsAmong(graph, await smallWeights(this.#runtime));
    const program = await this.#runtime.load(graph, { constants });
    const feeds: Record<string, Value> = {
      ids: { kind: "value", type: "int32", shape: [1, ids.length], values: ids.slice() },
      lengths: { kind: "value", type: "int64", shape: [1], values: BigInt64Array.of(6n) },
      isCls: { kind: "value", type: "bool", shape: [1], values: Uint8Array.of(0) },
    };
    for (const [name, { shape }] of graph.inputs) {
      const span = resident?.get(name);
      if (span === undefined) continue;
      const values = this.#rows.memory.slice(span.offset, span.offset + span.length);
      // The one size that is open, rank or outputs, follows from the others.
      const known = shape.reduce<number>((n, size) => n * (typeof size === "number" ? size : 1), 1);
      const sizes = shape.map((size) => (typeof size === "number" ? size : values.length / known));
      feeds[name] = { kind: "value", type: "float32", shape: sizes, values };
    }
    const { probabilities } = await program.run(feeds);
    await program.release();
    return Array.from(probabilities?.values ?? [], Number);
  }
}
