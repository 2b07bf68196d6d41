/**
 * The weights that make a base hierarchical, as one safetensors file beside it. What the file does
 * not hold, word embeddings and often the upper layers, is the base's own. Linear layers are
 * written as int8 with a scale per column, as they serve, and all else as fp16; floats can be read.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Weights } from "../entities/weights.ts";
import type { StoredTensor, TensorFile } from "../formats/formats.ts";
import { parse } from "../formats/json.ts";
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import { present } from "../foundation/assert.ts";
import { type Digest, digestOf } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { type HierarchyWeight, hierarchyWeights } from "../models/hierarchical-states.ts";
import { quantizeGraph } from "../models/quantize.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import { type BaseWeights, linearForms } from "./base-weights.ts";
import type { Checkpoint } from "./checkpoints.ts";
import { checkFinite } from "./weights-file.ts";

export interface HierarchicalBase {
  /** The base's, with the cut at which the tri-gram part ends. */
  readonly config: EncoderConfig;
  /** Values by the names of the graphs' inputs: the base's, and in their place the form's own. */
  readonly weights: ReadonlyMap<string, TypedValues>;
  /** Whether the upper layers are the form's own, and not the base's. */
  readonly ownsUpper: boolean;
  /** The digest of the file; `from` is that of the form whose weights it started from. */
  readonly digest: Digest;
  readonly from: string | undefined;
}

/** The file's metadata under `run`. */
const run = z.object({
  digest: z.string(),
  from: z.string().optional(),
  config: z.object({ shallowLayerCount: z.int().min(1) }),
});

/** The scales of a matrix in bytes lie beside it under this name. */
function scaleOf(matrix: string): string {
  return `${matrix}.scale`;
}

/** Reads the file, see `readHierarchy`, and prepares its linear layers in all forms. */
export async function openHierarchy(
  path: string,
  base: { readonly checkpoint: Checkpoint; readonly weights: BaseWeights },
  runtime: Runtime,
): Promise<HierarchicalBase> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw wrapError(error, "NOT_FOUND", `Cannot open hierarchical base "${path}"`);
  });
  const file = readHierarchy(bytes, path, base.checkpoint);
  const { config, ownsUpper, from, names, tensor, parts } = file;
  const all = new Map<string, TypedValues>(base.weights);
  const quantizer = await runtime.load(quantizeGraph());
  for (const { name, linear } of parts) {
    const { shape, values } = tensor(name);
    checkFinite(name, values);
    if (linear === undefined) {
      all.set(name, values);
      continue;
    }
    const scale = scaleOf(name);
    const scales = names.includes(scale) ? tensor(scale).values : new Float32Array();
    checkFinite(scale, scales);
    const stored = { shape: shape.toReversed(), values: transposed(values, shape, scales) };
    for (const [form, array] of await linearForms(quantizer, stored))
      all.set(`${linear}.${form}`, array);
  }
  await quantizer.release();
  return { config, weights: all, ownsUpper, digest: digestOf(bytes), from };
}

/** The bytes of such a file; `tensors` by the names of the graphs' inputs, `run` is metadata. */
export async function encodeHierarchy(
  tensors: Weights,
  { config, run }: { readonly config: EncoderConfig; readonly run: string },
  runtime: Runtime,
): Promise<Uint8Array> {
  const linears = new Map(hierarchyWeights(config, true).map(({ name, linear }) => [name, linear]));
  const quantizer = await runtime.load(quantizeGraph());
  const stored = new Map<string, StoredTensor>();
  for (const [name, { shape, values }] of tensors) {
    stored.set(name, { shape, values, dtype: "F16" });
    if (linears.get(name) === undefined) continue;
    const turned = { shape: shape.toReversed(), values: transposed(values, shape) };
    const forms = new Map(await linearForms(quantizer, turned));
    const [bytes, scales] = (["int8.values", "int8.scale"] as const).map((form) =>
      present(forms.get(form), "a form of every linear layer"),
    ) as [Int8Array, Float32Array]; // of these types, see `quantizeGraph`
    stored.set(name, { shape, values: bytes });
    // Halves times bytes are exact in float32: what is read gives the same bytes again.
    stored.set(scaleOf(name), { shape: shape.slice(1), values: scales, dtype: "F16" });
  }
  await quantizer.release();
  return encodeSafetensors(stored, { metadata: { run } });
}

interface HierarchyFile
  extends TensorFile, Pick<HierarchicalBase, "config" | "ownsUpper" | "from"> {
  /** What the file holds, without scales. */
  readonly parts: readonly HierarchyWeight[];
}

/**
 * Reads the bytes of such a file; `path` names them in errors. CORRUPT when tensors are missing, of
 * other shapes than the base's or unknown, CONFLICT when it was made for another base.
 */
export function readHierarchy(
  bytes: Uint8Array,
  path: string,
  base: { readonly digest: Digest; readonly config: EncoderConfig },
): HierarchyFile {
  const file = decodeSafetensors(bytes);
  const made = parse(run, file.metadata["run"] ?? "", path);
  if (made.digest !== base.digest)
    throw new StrataError(
      "CONFLICT",
      `Cannot open hierarchical base "${path}": it was made for base ${made.digest}, ` +
        `this one is ${base.digest}`,
    );
  const config = { ...base.config, shallowLayerCount: made.config.shallowLayerCount };
  // A form has its own upper layers as a whole, or none of them.
  const all = hierarchyWeights(config, true);
  const ownsUpper = all.some(({ part, name }) => part === "upper" && file.names.includes(name));
  const parts = ownsUpper ? all : hierarchyWeights(config, false);
  checkShapes(file, parts, path);
  return { ...file, config, ownsUpper, parts, from: made.from };
}

/** Every part is there, in its shape, and nothing else but the scales of those in bytes. */
function checkShapes(
  { names, shape, dtype }: TensorFile,
  parts: readonly HierarchyWeight[],
  path: string,
): void {
  const expected = new Map<string, readonly number[]>();
  for (const { name, shape: sizes, linear } of parts) {
    expected.set(name, sizes);
    if (linear !== undefined && dtype(name) === "I8") expected.set(scaleOf(name), sizes.slice(1));
  }
  const text = (sizes: readonly number[] | undefined): string => sizes?.join(" × ") ?? "none";
  for (const name of new Set([...expected.keys(), ...names])) {
    const [wanted, found] = [expected.get(name), shape(name)].map(text);
    if (wanted === found) continue;
    throw new StrataError(
      "CORRUPT",
      `Cannot open hierarchical base "${path}": expected "${name}" of ${wanted}, got ${found}`,
    );
  }
}

/** `[rows, columns]` to `[columns, rows]`, times the scale of each column, if there are any. */
function transposed(
  values: Float32Array,
  [rows = 0, columns = 0]: readonly number[],
  scales: ArrayLike<number> = [],
): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = (scales[column] ?? 1) * (values[row * columns + column] ?? 0);
  return result;
}
