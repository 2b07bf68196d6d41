/**
 * The weights that make a base hierarchical, as one safetensors file beside it. What the file does
 * not hold, word embeddings and upper layers, is the base's own.
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { mergeGraph, ngramGraph, ngramPrefix } from "../models/hierarchy.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import { type BaseWeights, linearForms } from "./base-weights.ts";
import type { Checkpoint } from "./checkpoints.ts";
import { parse } from "./config.ts";
import { quantizeGraph } from "../models/quantize.ts";
import { decodeSafetensors, type SafetensorsFile } from "./safetensors.ts";

export interface HierarchicalBase {
  /** Of the base, with the cut at which the tri-gram part ends. */
  readonly config: EncoderConfig;
  /** The base's and the tri-gram part's, by the names of the graphs' inputs. */
  readonly weights: ReadonlyMap<string, TypedValues>;
}

/** The file's metadata under `run`. */
const run = z.object({
  digest: z.string(),
  config: z.object({ shallowLayerCount: z.int().min(1) }),
});

/** Reads the file, see `readHierarchy`, and prepares its linear layers in all forms. */
export async function openHierarchy(
  path: string,
  base: { readonly checkpoint: Checkpoint; readonly weights: BaseWeights },
  runtime: Runtime,
): Promise<HierarchicalBase> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw wrapError(error, "NOT_FOUND", `Cannot open hierarchical base "${path}"`);
  });
  const { config, names, tensor } = readHierarchy(bytes, path, base.checkpoint);
  const all = new Map<string, TypedValues>(base.weights);
  const quantizer = await runtime.load(quantizeGraph());
  for (const name of names) {
    const { shape, values } = tensor(name);
    all.set(name, values);
    if (!name.endsWith(".weight") || !/(^|\.)layer\./.test(name)) continue;
    const stored = { shape: shape.toReversed(), values: transposed(values, shape) };
    for (const [form, array] of await linearForms(quantizer, stored))
      all.set(name.replace(/weight$/, form), array);
  }
  await quantizer.release();
  return { config, weights: all };
}

/**
 * Reads the bytes of such a file; `path` names them in errors. CORRUPT when tensors are missing or
 * of other shapes than the base's, CONFLICT when it was made for another base.
 */
export function readHierarchy(
  bytes: Uint8Array,
  path: string,
  base: { readonly digest: Digest; readonly config: EncoderConfig },
): SafetensorsFile & Pick<HierarchicalBase, "config"> {
  const file = decodeSafetensors(bytes);
  const made = parse(run, file.metadata["run"] ?? "", path);
  if (made.digest !== base.digest)
    throw new StrataError(
      "CONFLICT",
      `Cannot open hierarchical base "${path}": it was made for base ${made.digest}, ` +
        `this one is ${base.digest}`,
    );
  const config = { ...base.config, shallowLayerCount: made.config.shallowLayerCount };
  for (const graph of [ngramGraph(config, "fp32"), mergeGraph(config)])
    for (const [name, { shape }] of graph.inputs) {
      if (!name.startsWith(ngramPrefix)) continue;
      const found = file.shape(name)?.join(" × ") ?? "none";
      if (found !== shape.join(" × "))
        throw new StrataError(
          "CORRUPT",
          `Cannot open hierarchical base "${path}": expected "${name}" of ${shape.join(" × ")}, ` +
            `got ${found}`,
        );
    }
  return { ...file, config };
}

function transposed(
  values: Float32Array,
  [rows = 0, columns = 0]: readonly number[],
): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column] ?? 0;
  return result;
}
