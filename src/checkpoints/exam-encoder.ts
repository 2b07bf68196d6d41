/** An encoder of a few hundred random weights, for exams of graphs that need no real text. */
import type { EncoderConfig } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { Runtime, Value } from "../runtime/runtime.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import { quantizeGraph } from "../models/quantize.ts";
import { servingGraph } from "../models/serving-graph.ts";

export const smallConfig: EncoderConfig = {
  family: "bert",
  layerCount: 3,
  shallowLayerCount: 1,
  hiddenSize: 8,
  headCount: 2,
  intermediateSize: 12,
  vocabularySize: 13,
  positionCount: 16,
  segmentCount: 2,
  layerNormEpsilon: 1e-12,
};

/** Values of every weight of the base, in float32 and int8, by the names of the graphs' inputs. */
export async function smallWeights(runtime: Runtime): Promise<ReadonlyMap<string, TypedValues>> {
  const quantizer = await runtime.load(quantizeGraph());
  const weights = new Map<string, TypedValues>();
  for (const [name, { shape }] of servingGraph(smallConfig, "fp32", { adapters: [] }).inputs) {
    if (!/^(layer|embeddings)\./.test(name)) continue;
    const sizes = shape.map(Number);
    const mean = name.endsWith(".gain") ? 1 : 0;
    const values = randomFloats(sizes, { stream: weights.size, mean, deviation: 0.4 }).values;
    weights.set(name, values.slice());
    if (!name.endsWith(".weight")) continue;
    const [width = 0, size = 0] = sizes;
    const stored = transposed(values, width);
    const forms = await quantizer.run({
      stored: { kind: "value", type: "float32", shape: [size, width], values: stored },
    });
    for (const form of ["int8", "int8-transposed"])
      for (const part of ["values", "scale"])
        weights.set(
          name.replace(/weight$/, `${form}.${part}`),
          present(forms[`${form}.${part}`], "An output of the quantise graph").values,
        );
  }
  await quantizer.release();
  return weights;
}

/** Those of `values` that are inputs of the graph. */
export function inputsAmong(
  graph: { readonly inputs: ReadonlyMap<string, unknown> },
  values: ReadonlyMap<string, TypedValues>,
): Map<string, TypedValues> {
  return new Map([...values].filter(([name]) => graph.inputs.has(name)));
}

/** Normal values; the same numbers for the same stream. */
export function randomFloats(
  shape: readonly number[],
  options: { readonly stream: number; readonly mean?: number; readonly deviation?: number },
): Value & { readonly values: Float32Array } {
  const { stream, mean = 0, deviation = 1 } = options;
  const random = new SeededRandom(5, stream);
  const count = shape.reduce((product, size) => product * size, 1);
  const values = Float32Array.from({ length: count }, () => mean + deviation * random.normal());
  return { kind: "value", type: "float32", shape, values };
}

/** `[rows, columns]` to `[columns, rows]`. */
function transposed(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  return values.map((_, index) => {
    const [column, row] = [Math.floor(index / rows), index % rows];
    return values[row * columns + column] ?? 0;
  });
}
