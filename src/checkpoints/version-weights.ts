/** The weights of a version: read from its blob, and held against what the version says. */
import type { Digest } from "../foundation/digest.ts";
import type { LearnedTensor } from "../models/adapter.ts";
import type { Blobs } from "../storage/storage.ts";
import type { CheckpointTensor } from "./checkpoints.ts";
import { decodeSafetensors } from "./safetensors.ts";

/** A blob's tensors by name, in the order in which they shall lie. */
export type LoadedTensors = ReadonlyMap<string, CheckpointTensor>;

/** Reads blobs; CORRUPT when the bytes are not those of the digest, or no safetensors. */
export function versionLoader(blobs: Blobs): (blob: Digest) => Promise<LoadedTensors> {
  return async (blob) => {
    const file = decodeSafetensors(await blobs.get(blob));
    return new Map(file.names.map((name) => [name, file.tensor(name)]));
  };
}

/** Why tensors of these shapes are not exactly the wanted ones; undefined when they are. */
export function faultOfShapes(
  shapes: ReadonlyMap<string, readonly number[]>,
  wanted: readonly LearnedTensor[],
): string | undefined {
  for (const { name, shape } of wanted) {
    const got = shapes.get(name);
    if (got === undefined) return `tensor "${name}" is missing`;
    const fits = got.length === shape.length && got.every((size, axis) => size === shape[axis]);
    if (!fits) return `tensor "${name}": expected [${shape.join(", ")}], got [${got.join(", ")}]`;
  }
  if (shapes.size === wanted.length) return undefined;
  const names = new Set(wanted.map(({ name }) => name));
  const extra = [...shapes.keys()].find((name) => !names.has(name)) ?? "";
  return `tensor "${extra}" is not one of this version's`;
}

export function shapesOf(tensors: LoadedTensors): ReadonlyMap<string, readonly number[]> {
  return new Map([...tensors].map(([name, { shape }]) => [name, shape]));
}

/** Why the values cannot be computed with; undefined when they can. */
export function faultOfValues(tensors: LoadedTensors): string | undefined {
  for (const [name, { values }] of tensors)
    if (!areFinite(values)) return `tensor "${name}" holds a number that is not finite`;
  return undefined;
}

export function areFinite(values: Float32Array): boolean {
  // A loop over indices: weights are long, and this runs on the main thread.
  for (let index = 0; index < values.length; index++)
    if (!Number.isFinite(values[index])) return false;
  return true;
}
