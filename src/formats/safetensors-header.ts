/**
 * The header of a safetensors file. Reading is strict: what is not exactly such a file is CORRUPT,
 * before any value is looked at.
 */
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { dtypes, type Dtype, isDtype } from "./dtypes.ts";
import { isObject } from "./json.ts";

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

/** Bytes of the length that stands before the header. */
export const prefixBytes = 8;

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

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function fault(state: string): StrataError {
  return new StrataError("CORRUPT", `Cannot read safetensors: ${state}`);
}
