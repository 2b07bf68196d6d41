/** A base model's weights in the form and under the names that the graphs of `models/` declare. */
import type { Precision } from "../entities/base-model.ts";
import { assert, present } from "../foundation/assert.ts";
import { familyOf } from "../models/families/families.ts";
import type { CheckpointEntry } from "../models/family.ts";
import { quantizeGraph } from "../models/quantize.ts";
import { inSharedMemory } from "../foundation/shared-memory.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import type { Graph, TypedValues } from "../tensor/tensor.ts";
import type { Checkpoint } from "./checkpoints.ts";

/**
 * Values by input name: forms of every linear layer, norms and embeddings, in shared memory, where
 * the threads of all runtimes read them.
 */
export type BaseWeights = ReadonlyMap<string, TypedValues>;

/** The forms of a linear weight, by the last part of their input names. */
type LinearForm = "weight" | `${"int8" | "int8-transposed"}.${"values" | "scale"}`;

const formsOf: Readonly<Record<Precision, readonly LinearForm[]>> = {
  fp32: ["weight"],
  int8: ["int8.values", "int8.scale", "int8-transposed.values", "int8-transposed.scale"],
};

/**
 * Reads and prepares all weights; the arithmetic runs on `runtime`. Linear layers get the forms of
 * one precision, or all of them.
 */
export async function loadBaseWeights(
  checkpoint: Pick<Checkpoint, "config" | "tensors">,
  runtime: Runtime,
  precision?: Precision,
): Promise<BaseWeights> {
  const weights = new Map<string, TypedValues>();
  const entries = familyOf(checkpoint.config).checkpoint.tensors(checkpoint.config);
  const bySource = new Map(entries.map((entry) => [entry.source, entry]));
  const quantizer = await runtime.load(quantizeGraph());
  for await (const [source, tensor] of checkpoint.tensors()) {
    const entry = present(bySource.get(source), "Every promised tensor has its place");
    if (entry.role === "matrix")
      for (const [form, array] of await linearForms(quantizer, tensor, precision))
        weights.set(`${entry.name}.${form}`, array);
    else weights.set(entry.name, inSharedMemory(rowsOf(entry, tensor.values)));
  }
  await quantizer.release();
  return weights;
}

/** The rows that are taken. */
function rowsOf({ shape, rows }: CheckpointEntry, values: Float32Array): Float32Array {
  if (rows === undefined) return values;
  const width = values.length / present(shape[0], "What has rows has a first axis");
  return values.subarray(rows[0] * width, rows[1] * width);
}

/**
 * Forms of a linear weight `[out, in]`, all or those of one precision, in shared memory. The run
 * takes the buffer of `values` over, which must hold nothing else.
 */
export async function linearForms(
  quantizer: Program,
  { shape, values }: { readonly shape: readonly number[]; readonly values: Float32Array },
  precision?: Precision,
): Promise<readonly (readonly [LinearForm, TypedValues])[]> {
  assert(values.byteLength === values.buffer.byteLength, "The values have a buffer of their own");
  const results = await quantizer.run({
    stored: { kind: "value", type: "float32", shape, values },
  });
  const forms = precision === undefined ? Object.values(formsOf).flat() : formsOf[precision];
  return forms.map((form) => {
    const { values: own } = present(results[form], "An output of the quantise graph");
    return [form, inSharedMemory(own)];
  });
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
