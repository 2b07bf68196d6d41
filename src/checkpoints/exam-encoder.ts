/** An encoder of a few hundred random weights, for exams of graphs that need no real text. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Weight } from "../entities/weights.ts";
import { elementCount } from "../foundation/element-count.ts";
import { SeededRandom } from "../foundation/random.ts";
import { familyOf } from "../models/families/families.ts";
import type { CheckpointEntry } from "../models/family.ts";
import type { Runtime, Value } from "../runtime/runtime.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import { type BaseWeights, loadBaseWeights } from "./base-weights.ts";

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
export function smallWeights(runtime: Runtime): Promise<BaseWeights> {
  return drawnWeights(runtime, smallConfig, ({ shape, role }, stream) => {
    const mean = role === "gain" ? 1 : 0;
    return randomFloats(shape, { stream, mean, deviation: 0.4 }).values;
  });
}

/** Weights of an encoder, each tensor as `draw` gives it; their numbers count from 0. */
export function drawnWeights(
  runtime: Runtime,
  config: EncoderConfig,
  draw: (entry: CheckpointEntry, number: number) => Float32Array,
): Promise<BaseWeights> {
  const entries = familyOf(config).checkpoint.tensors(config);
  async function* tensors(): AsyncGenerator<readonly [string, Weight]> {
    for (const [number, entry] of entries.entries())
      yield [entry.source, { shape: entry.shape, values: draw(entry, number) }];
  }
  return loadBaseWeights({ config, tensors }, runtime);
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
  const count = elementCount(shape);
  const values = Float32Array.from({ length: count }, () => mean + deviation * random.normal());
  return { kind: "value", type: "float32", shape, values };
}
