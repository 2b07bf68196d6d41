/** Stages of a pipeline, run: what they compute together is what the serving graph does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  inputsAmong,
  randomFloats,
  smallConfig,
  smallWeights,
} from "../checkpoints/exam-encoder.ts";
import { present } from "../foundation/assert.ts";
import { adapterKinds, formsIn, rowsInput, upperLayers } from "../models/adapters/adapters.ts";
import { headTensors } from "../models/head.ts";
import { servingGraph } from "../models/serving-graph.ts";
import { stageGraph } from "../models/stage-graph.ts";
import { ReferenceRuntime } from "../runtime/reference/reference.ts";
import type { Results, Value } from "../runtime/runtime.ts";
import type { Graph } from "../tensor/tensor.ts";

const [batch, sequence] = [2, 5];

function feeds(): Record<string, Value> {
  const adapters = Object.values(adapterKinds);
  const tensors = [
    ...adapters.flatMap((kind) => kind.pooledTensors(smallConfig, { rank: 4, layers: [1, 2] })),
    ...headTensors(smallConfig, 3),
  ];
  const rows = (): Value => ({
    kind: "value",
    type: "int32",
    shape: [batch],
    values: Int32Array.of(0, 1),
  });
  const ids = Int32Array.from({ length: batch * sequence }, (_, index) => (index * 5) % 13);
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    lengths: { kind: "value", type: "int64", shape: [batch], values: BigInt64Array.of(5n, 3n) },
    isCls: { kind: "value", type: "bool", shape: [batch], values: Uint8Array.of(0, 1) },
    outputCounts: {
      kind: "value",
      type: "int64",
      shape: [batch],
      values: BigInt64Array.of(3n, 2n),
    },
    ...Object.fromEntries(adapters.map(({ name }) => [rowsInput(name), rows()])),
    ...Object.fromEntries(
      tensors.map(({ name, shape }, stream) => [name, randomFloats([batch, ...shape], { stream })]),
    ),
  };
}

for (const precision of ["fp32", "int8"] as const)
  for (const cuts of [
    [0, 3],
    [0, 1, 3],
    [0, 2, 3],
    [0, 1, 2, 3],
  ])
    test(`stages cut at ${cuts.join(", ")} are the whole in ${precision}`, async () => {
      const runtime = new ReferenceRuntime();
      const adapters = formsIn(upperLayers(smallConfig));
      const weights = await smallWeights(runtime);
      const run = async (graph: Graph, given: Readonly<Record<string, Value>>) => {
        const program = await runtime.load(graph, { constants: inputsAmong(graph, weights) });
        const fed = Object.entries(given).filter(([name]) => graph.inputs.has(name));
        return program.run(Object.fromEntries(fed));
      };
      const whole = await run(servingGraph(smallConfig, precision, { adapters }), feeds());
      let results: Results = {};
      for (const [stage, until] of cuts.slice(1).entries()) {
        const graph = stageGraph(smallConfig, precision, {
          from: cuts[stage] ?? 0,
          until,
          adapters,
        });
        const { state } = results;
        results = await run(graph, {
          ...feeds(),
          ...(state === undefined ? {} : { states: state }),
        });
      }
      assert.deepEqual(Object.keys(results), Object.keys(whole));
      for (const [name, { values }] of Object.entries(whole)) {
        const found = present(results[name], "the names are alike").values;
        assert.ok(
          values.every((value, index) => Math.abs(Number(value) - Number(found[index])) < 1e-6),
        );
      }
    });
