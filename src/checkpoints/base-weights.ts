/** A base model's weights in the form and under the names that the graphs of `models/` declare. */
import type { Precision } from "../entities/base-model.ts";
import { assert, present } from "../foundation/assert.ts";
import { familyOf } from "../models/families/families.ts";
import type { CheckpointEntry } from "../models/family.ts";
import { keptRowCount, quantizeGraph } from "../models/quantize.ts";
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
type LinearForm =
  | "weight"
  | `${"int8" | "int8-kept" | "int8-transposed"}.${"values" | "scale"}`
  | `int8-kept.${"places" | "rows"}`;

const plainForms = ["int8.values", "int8.scale"] as const;
const keptForms = [
  ...(["int8-kept.values", "int8-kept.scale"] as const),
  ...(["int8-kept.places", "int8-kept.rows"] as const),
] as const;
const backwardForms = ["int8-transposed.values", "int8-transposed.scale"] as const;
const allForms: readonly LinearForm[] = ["weight", ...plainForms, ...keptForms, ...backwardForms];

/** What graphs of the precision may ask for; all forms when it is undefined. */
function formsOf(
  { keepsRows = false }: CheckpointEntry,
  precision: Precision | undefined,
): readonly LinearForm[] {
  if (precision === undefined) return allForms;
  if (precision === "fp32") return ["weight"];
  return [...(keepsRows ? keptForms : plainForms), ...backwardForms];
}

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
      for (const [form, array] of await linearForms(quantizer, tensor, formsOf(entry, precision)))
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

/** A linear weight as checkpoints have it, `[out, in]`. */
interface StoredLinear {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/**
 * Forms of a linear weight, in shared memory. The run takes the buffer of its values over, which
 * must hold nothing else.
 */
export async function linearForms(
  quantizer: Program,
  stored: StoredLinear,
  wanted: readonly LinearForm[] = allForms,
): Promise<readonly (readonly [LinearForm, TypedValues])[]> {
  const { buffer, byteLength } = stored.values;
  assert(byteLength === buffer.byteLength, "The values have a buffer of their own");
  const needsKept = keptForms.some((form) => wanted.includes(form));
  const copy = needsKept ? { ...stored, values: stored.values.slice() } : undefined;
  const forms = await quantized(quantizer, stored);
  if (copy !== undefined)
    for (const [form, own] of await keptRows(quantizer, copy, forms)) forms.set(form, own);
  return wanted.map((form) => [form, inSharedMemory(present(forms.get(form), "it was made"))]);
}

async function quantized(
  quantizer: Program,
  { shape, values }: StoredLinear,
): Promise<Map<string, TypedValues>> {
  const results = await quantizer.run({
    stored: { kind: "value", type: "float32", shape, values },
  });
  return new Map(Object.entries(results).map(([name, { values: own }]) => [name, own]));
}

/**
 * The weight in int8 but for the rows, of `[in, out]`, with the largest entries. What goes through
 * them is far larger than the rest in encoders, and they would make the columns' scales coarse.
 */
async function keptRows(
  quantizer: Program,
  stored: StoredLinear,
  forms: ReadonlyMap<string, TypedValues>,
): Promise<ReadonlyMap<LinearForm, TypedValues>> {
  const [outSize = 0, inSize = 0] = stored.shape;
  // The largest entry of each row, times a constant.
  const heights = present(forms.get("int8-transposed.scale"), "it was made");
  const order = Array.from(heights, Number);
  const places = [...order.keys()]
    .sort((one, other) => (order[other] ?? 0) - (order[one] ?? 0))
    .slice(0, keptRowCount(inSize))
    .sort((one, other) => one - other);
  const rows = new Float32Array(places.length * outSize);
  for (const [index, place] of places.entries())
    for (let out = 0; out < outSize; out++) {
      rows[index * outSize + out] = stored.values[out * inSize + place] ?? 0;
      stored.values[out * inSize + place] = 0;
    }
  const rest = await quantized(quantizer, stored);
  return new Map<LinearForm, TypedValues>([
    ["int8-kept.values", present(rest.get("int8.values"), "it was made")],
    ["int8-kept.scale", present(rest.get("int8.scale"), "it was made")],
    ["int8-kept.places", Int32Array.from(places)],
    ["int8-kept.rows", rows],
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
