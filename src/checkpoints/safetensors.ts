/**
 * The safetensors format: 8 bytes of header length, a JSON header, then the tensors without gaps.
 * Reading is strict: what is not exactly such a file is CORRUPT, before any value is looked at.
 * The arrays of this platform are little-endian, as the format is.
 */
import { assert } from "../foundation/assert.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { halfValues, writeHalves } from "../foundation/half.ts";
import { limits } from "../foundation/limits.ts";
import type { CheckpointTensor } from "./checkpoints.ts";

export interface SafetensorsFile {
  readonly metadata: Readonly<Record<string, string>>;
  readonly names: readonly string[];
  /** Undefined when there is no tensor of this name. */
  shape(name: string): readonly number[] | undefined;
  dtype(name: string): Dtype | undefined;
  /**
   * One tensor as float32; 64-bit numbers are rounded. Aligned F32 is a view of the file's bytes.
   * NOT_FOUND when there is none of this name.
   */
  tensor(name: string): CheckpointTensor;
}

/** What the header says; `begin` and `end` count bytes from the end of the header. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly ranges: ReadonlyMap<string, TensorRange>;
}

export interface TensorRange {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export type Dtype = keyof typeof dtypes;

/** Bytes of the length that stands before the header. */
export const prefixBytes = 8;

const dtypes = {
  F64: { bytes: 8, toFloat32: (b: ArrayBuffer) => new Float32Array(new Float64Array(b)) },
  F32: { bytes: 4, toFloat32: (b: ArrayBuffer) => new Float32Array(b) },
  F16: { bytes: 2, toFloat32: (b: ArrayBuffer) => fromHalves(new Uint16Array(b)) },
  BF16: { bytes: 2, toFloat32: (b: ArrayBuffer) => fromBrainFloats(new Uint16Array(b)) },
  I64: { bytes: 8, toFloat32: (b: ArrayBuffer) => fromBigInts(new BigInt64Array(b)) },
  U64: { bytes: 8, toFloat32: (b: ArrayBuffer) => fromBigInts(new BigUint64Array(b)) },
  I32: { bytes: 4, toFloat32: (b: ArrayBuffer) => new Float32Array(new Int32Array(b)) },
  U32: { bytes: 4, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint32Array(b)) },
  I16: { bytes: 2, toFloat32: (b: ArrayBuffer) => new Float32Array(new Int16Array(b)) },
  U16: { bytes: 2, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint16Array(b)) },
  I8: { bytes: 1, toFloat32: (b: ArrayBuffer) => new Float32Array(new Int8Array(b)) },
  U8: { bytes: 1, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint8Array(b)) },
  BOOL: { bytes: 1, toFloat32: (b: ArrayBuffer) => new Float32Array(new Uint8Array(b)) },
} as const;

/** Opens a whole file; CORRUPT when it is not safetensors. */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
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

/** The length of the header by a file's first bytes; CORRUPT when `fileBytes` cannot hold it. */
export function headerBytesOf(prefix: Uint8Array, fileBytes: number): number {
  if (prefix.length < prefixBytes) throw fault(`expected 8 bytes of length, got ${prefix.length}`);
  const view = new DataView(prefix.buffer, prefix.byteOffset, prefixBytes);
  const length = view.getBigUint64(0, true);
  const most = Math.min(fileBytes - prefixBytes, limits.safetensorsHeaderBytesMax);
  if (length > most) throw fault(`expected a header of at most ${most} bytes, got ${length}`);
  return Number(length);
}

/** Checks the JSON header of a file that has `dataBytes` after it; CORRUPT when anything is off. */
export function parseSafetensorsHeader(json: Uint8Array, dataBytes: number): SafetensorsHeader {
  const ranges = new Map<string, TensorRange>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseJson(json))) {
    if (name === "__metadata__") metadata = checkMetadata(value);
    else ranges.set(name, checkRange(name, value));
  }
  checkCover(ranges, dataBytes);
  return { metadata, ranges };
}

/** The values of a tensor from its own bytes; a view of them when they are aligned F32. */
export function toFloat32(range: TensorRange, bytes: Uint8Array): CheckpointTensor {
  assert(bytes.length === range.end - range.begin, "Tensor bytes and range differ in length");
  const { shape, dtype } = range;
  if (dtype === "F32" && bytes.byteOffset % 4 === 0) {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    return { shape, values };
  }
  // The copy is aligned, which the typed arrays need.
  return { shape, values: dtypes[dtype].toFloat32(new Uint8Array(bytes).buffer) };
}

export interface StoredTensor {
  readonly shape: readonly number[];
  /** Bytes are stored as I8. */
  readonly values: Float32Array | Int8Array;
  /** Of floats; F32 when absent. */
  readonly dtype?: "F32" | "F16";
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
    const count = tensor.shape.reduce((product, size) => product * size, 1);
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

function parseJson(json: Uint8Array): object {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) throw fault("expected a header that is a JSON object");
    refuseDuplicateKeys(text);
    return value;
  } catch (error) {
    throw wrapError(error, "CORRUPT", "Cannot read safetensors header");
  }
}

/** Expects valid JSON. `JSON.parse` keeps the last of equal keys and would hide the others. */
function refuseDuplicateKeys(json: string): void {
  const open: Set<string>[] = [];
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (character === "{") open.push(new Set());
    else if (character === "}") open.pop();
    else if (character === '"') {
      const end = endOfString(json, at);
      if (isBeforeColon(json, end)) addKey(open.at(-1), json.slice(at, end));
      at = end - 1;
    }
  }
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

function isBeforeColon(json: string, end: number): boolean {
  let at = end;
  while (/\s/.test(json[at] ?? "")) at++;
  return json[at] === ":";
}

function addKey(keys: Set<string> | undefined, quoted: string): void {
  const key = String(JSON.parse(quoted));
  if (keys?.has(key) === true) throw fault(`expected each name once, got "${key}" twice`);
  keys?.add(key);
}

function checkMetadata(value: unknown): Record<string, string> {
  if (!isObject(value)) throw fault("expected metadata that is an object");
  const checked = Object.entries(value).map(([key, text]) => {
    if (typeof text !== "string") throw fault(`expected metadata "${key}" to be a string`);
    return [key, text] as const;
  });
  return Object.fromEntries(checked);
}

function checkRange(name: string, value: unknown): TensorRange {
  if (!isObject(value)) throw fault(`expected tensor "${name}" to be an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) throw fault(`tensor "${name}" has an unknown dtype`);
  if (!isSizes(shape)) throw fault(`tensor "${name}" has no valid shape`);
  if (!isSizes(offsets)) throw fault(`tensor "${name}" has no valid data_offsets`);
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined || offsets.length !== 2 || begin > end)
    throw fault(`tensor "${name}" has no valid data_offsets`);
  const bytes = shape.reduce((product, size) => product * size, dtypes[dtype].bytes);
  if (bytes !== end - begin)
    throw fault(`tensor "${name}" should take ${bytes} bytes, has ${end - begin}`);
  return { dtype, shape, begin, end };
}

/** The ranges, in order, must follow each other from 0 to the end: no hole and no overlap. */
function checkCover(ranges: ReadonlyMap<string, TensorRange>, dataBytes: number): void {
  let expected = 0;
  const inOrder = [...ranges].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, { begin, end }] of inOrder) {
    if (begin !== expected)
      throw fault(`tensor "${name}" should begin at byte ${expected}, begins at ${begin}`);
    expected = end;
  }
  if (expected !== dataBytes)
    throw fault(`expected ${expected} bytes of tensors, got ${dataBytes}`);
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(dtypes, value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fault(state: string): StrataError {
  return new StrataError("CORRUPT", `Cannot read safetensors: ${state}`);
}

function fromBigInts(values: BigInt64Array | BigUint64Array): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let index = 0; index < result.length; index++) result[index] = Number(values[index]);
  return result;
}

/** A brain float is the upper half of a float32. */
function fromBrainFloats(values: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(values.length);
  for (let index = 0; index < bits.length; index++) bits[index] = (values[index] ?? 0) << 16;
  return new Float32Array(bits.buffer);
}

function toHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.length);
  writeHalves(values, halves);
  return halves;
}

function fromHalves(values: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(values, (bits) => halfValues[bits] ?? 0);
}
