/** A base model's weights in the form and under the names that the graphs of `models/` declare. */
import { assert, present } from "../foundation/assert.ts";
import { familyOf } from "../models/families/families.ts";
import type { CheckpointEntry } from "../models/family.ts";
import { quantizeGraph } from "../models/quantize.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import type { Graph, TypedValues } from "../tensor/tensor.ts";
import type { Checkpoint } from "./checkpoints.ts";

/** Values by input name: float32 and int8 forms of every linear layer, norms and embeddings. */
export type BaseWeights = ReadonlyMap<string, TypedValues>;

/** Reads and prepares all weights; the arithmetic runs on `runtime`. */
export async function loadBaseWeights(
  checkpoint: Checkpoint,
  runtime: Runtime,
): Promise<BaseWeights> {
  const weights = new Map<string, TypedValues>();
  const entries = familyOf(checkpoint.config).checkpoint.tensors(checkpoint.config);
  const bySource = new Map(entries.map((entry) => [entry.source, entry]));
  const quantizer = await runtime.load(quantizeGraph());
  for await (const [source, tensor] of checkpoint.tensors()) {
    const entry = present(bySource.get(source), "Every promised tensor has its place");
    if (entry.isLinear)
      for (const [form, array] of await linearForms(quantizer, tensor))
        weights.set(`${entry.name}.${form}`, array);
    else weights.set(entry.name, rowsOf(entry, tensor.values));
  }
  await quantizer.release();
  return weights;
}

/** The rows that are taken, in a buffer of their own. */
function rowsOf({ shape, rows }: CheckpointEntry, values: Float32Array): Float32Array {
  if (rows === undefined) return values;
  const width = values.length / present(shape[0], "What has rows has a first axis");
  return values.slice(rows[0] * width, rows[1] * width);
}

/**
 * Forms of a linear weight `[out, in]`, by the last part of their input names. The run takes the
 * buffer of `values` over, which must hold nothing else.
 */
export async function linearForms(
  quantizer: Program,
  { shape, values }: { readonly shape: readonly number[]; readonly values: Float32Array },
): Promise<readonly (readonly [string, TypedValues])[]> {
  assert(values.byteLength === values.buffer.byteLength, "The values have a buffer of their own");
  const results = await quantizer.run({
    weight: { kind: "value", type: "float32", shape, values },
  });
  return [
    "transposed",
    "int8.values",
    "int8.scale",
    "int8-transposed.values",
    "int8-transposed.scale",
  ].map((name) => [
    name === "transposed" ? "weight" : name,
    present(results[name], "An output of the quantise graph").values,
  ]);
}

/** Those inputs of the graph that are weights of the base. */
export function constantsOf(graph: Graph, weights: BaseWeights): Map<string, TypedValues> {
  const constants = new Map<string, TypedValues>();
  for (const name of graph.inputs.keys()) {
    const values = weights.get(name);
    if (values !== undefined) constants.set(name, values);
  }
  return constants;
}
