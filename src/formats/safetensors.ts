/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the tensors without gaps.
 * The arrays of this platform are little-endian, as the format is.
 */
import { elementCount } from "../foundation/element-count.ts";
import { assert } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Weight, Weights } from "../entities/weights.ts";
import { type Dtype, dtypes, toHalves } from "./dtypes.ts";
import type { StoredTensor, TensorFile } from "./formats.ts";
import {
  headerBytesOf,
  parseSafetensorsHeader,
  prefixBytes,
  type TensorRange,
} from "./safetensors-header.ts";

/** Opens a whole file; CORRUPT when it is not safetensors. */
export function decodeSafetensors(bytes: Uint8Array): TensorFile {
  const dataStart = prefixBytes + headerBytesOf(bytes, bytes.length);
  const json = bytes.subarray(prefixBytes, dataStart);
  const { metadata, ranges } = parseSafetensorsHeader(json, bytes.length - dataStart);
  return {
    metadata,
    names: [...ranges.keys()],
    shape: (name) => ranges.get(name)?.shape,
    dtype: (name) => ranges.get(name)?.dtype,
    tensor(name) {
      const range = ranges.get(name);
      if (range === undefined)
        throw new StrataError("NOT_FOUND", `Cannot read tensor "${name}": the file has none`);
      return toFloat32(range, bytes.subarray(dataStart + range.begin, dataStart + range.end));
    },
  };
}

/** All tensors of a whole file, in the order of its header; CORRUPT when it is not safetensors. */
export function decodeWeights(bytes: Uint8Array): Weights {
  const file = decodeSafetensors(bytes);
  return new Map(file.names.map((name) => [name, file.tensor(name)]));
}

/** The values of a tensor from its own bytes; a view of them when they are aligned F32. */
export function toFloat32(range: TensorRange, bytes: Uint8Array): Weight {
  assert(bytes.length === range.end - range.begin, "Tensor bytes and range differ in length");
  const { shape, dtype } = range;
  if (dtype === "F32" && bytes.byteOffset % 4 === 0) {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    return { shape, values };
  }
  // The copy is aligned, which the typed arrays need.
  return { shape, values: dtypes[dtype].toFloat32(new Uint8Array(bytes).buffer) };
}

/** One file of tensors in the order of their names: equal input gives equal bytes. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  { metadata = {} }: { readonly metadata?: Readonly<Record<string, string>> } = {},
): Uint8Array {
  const names = [...tensors.keys()].sort();
  const members: string[] = [];
  const labels = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  if (labels.length > 0) members.push(member("__metadata__", Object.fromEntries(labels)));
  let dataBytes = 0;
  const parts: StoredValues[] = [];
  for (const name of names) {
    const tensor = tensors.get(name);
    assert(tensor !== undefined && name !== "__metadata__", `Tensor cannot be named "${name}"`);
    const count = elementCount(tensor.shape);
    assert(count === tensor.values.length, `Tensor "${name}" has not the size of its shape`);
    const { dtype, values } = storedForm(tensor);
    const end = dataBytes + values.byteLength;
    const range = { dtype, shape: tensor.shape, data_offsets: [dataBytes, end] };
    members.push(member(name, range));
    parts.push(values);
    dataBytes = end;
  }
  const json = new TextEncoder().encode(`{${members.join(",")}}`);
  return assemble(json, parts, dataBytes);
}

type StoredValues = Float32Array | Uint16Array | Int8Array;

function storedForm({ values, dtype = "F32" }: StoredTensor): {
  readonly dtype: Dtype;
  readonly values: StoredValues;
} {
  if (values instanceof Int8Array) return { dtype: "I8", values };
  return { dtype, values: dtype === "F32" ? values : toHalves(values) };
}

function assemble(json: Uint8Array, parts: readonly StoredValues[], dataBytes: number): Uint8Array {
  const dataStart = prefixBytes + Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(dataStart + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(dataStart - prefixBytes), true);
  file.fill(0x20, prefixBytes, dataStart);
  file.set(json, prefixBytes);
  let offset = dataStart;
  for (const part of parts) {
    file.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), offset);
    offset += part.byteLength;
  }
  return file;
}

function member(name: string, value: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
}
