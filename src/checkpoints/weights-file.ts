/**
 * `model.safetensors` of a checkpoint, read from front to back in one go: what is hashed is what
 * is used, and no more than one tensor is held at a time.
 */
import { basename } from "node:path";
import type { EncoderConfig } from "../entities/base-model.ts";
import { faultOfNumbers, type Weight } from "../entities/weights.ts";
import { HashedReader } from "../formats/hashed-reader.ts";
import {
  headerBytesOf,
  parseSafetensorsHeader,
  prefixBytes,
  type TensorRange,
} from "../formats/safetensors-header.ts";
import { toFloat32 } from "../formats/safetensors.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { familyOf } from "../models/families/families.ts";
import type { CheckpointEntry } from "../models/family.ts";
import { corruptFile } from "./files.ts";

/** Checks the header: the tensors that the configuration promises are there in their sizes. */
export async function checkWeights(path: string, config: EncoderConfig): Promise<void> {
  await withReader(path, (reader) => readHeader(reader, config));
}

/**
 * The tensors that the configuration promises, in the order of the file. CORRUPT at the end, when
 * the bytes are not those of `digest`: what came before must not be used then. CORRUPT too when a
 * number is not finite, which would reach every answer.
 */
export async function* readWeights(
  path: string,
  config: EncoderConfig,
  digest: Digest,
): AsyncGenerator<readonly [string, Weight]> {
  const reader = await HashedReader.open(path);
  try {
    const { ranges, dataBytes } = await readHeader(reader, config);
    let at = 0;
    for (const [name, range] of ranges) {
      await reader.skip(range.begin - at);
      const tensor = toFloat32(range, await reader.read(range.end - range.begin));
      checkFinite(name, tensor.values);
      yield [name, tensor];
      at = range.end;
    }
    await reader.skip(dataBytes - at);
    const found = reader.digest();
    if (found !== digest) throw corruptFile(basename(path), digest, found);
  } finally {
    await reader.close();
  }
}

/** CORRUPT when a value is infinite or no number. */
export function checkFinite(name: string, values: Float32Array): void {
  const fault = faultOfNumbers(values);
  if (fault === undefined) return;
  throw new StrataError("CORRUPT", `Cannot read tensor "${name}": ${fault}`);
}

interface Header {
  /** Those of the promised tensors, in the order of the file. */
  readonly ranges: readonly (readonly [string, TensorRange])[];
  readonly dataBytes: number;
}

async function readHeader(reader: HashedReader, config: EncoderConfig): Promise<Header> {
  const start = await reader.read(Math.min(prefixBytes, reader.bytes));
  const headerBytes = headerBytesOf(start, reader.bytes);
  const dataBytes = reader.bytes - prefixBytes - headerBytes;
  const header = parseSafetensorsHeader(await reader.read(headerBytes), dataBytes);
  const { prefix, tensors } = familyOf(config).checkpoint;
  const entries = tensors(config);
  const sources = sourcesByName(entries, prefix);
  const found = new Map<string, TensorRange>();
  for (const [name, range] of header.ranges) {
    const source = sources.get(name);
    if (source === undefined) continue;
    if (found.has(source))
      throw new StrataError("CORRUPT", `Cannot open checkpoint: two tensors are "${source}"`);
    found.set(source, range);
  }
  const ranges = entries.map(
    (entry) => [entry.source, checkedRange(entry, found.get(entry.source))] as const,
  );
  return { ranges: ranges.toSorted(([, a], [, b]) => a.begin - b.begin), dataBytes };
}

/** Each tensor by all names that a checkpoint may give it. */
function sourcesByName(
  entries: readonly CheckpointEntry[],
  prefix: string,
): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const { source, olderSource = source } of entries)
    for (const name of [source, olderSource])
      sources.set(name, source).set(`${prefix}${name}`, source);
  return sources;
}

/** The range, which says that as many bytes lie in the file as the configuration promises. */
function checkedRange(
  { source: name, shape }: CheckpointEntry,
  found: TensorRange | undefined,
): TensorRange {
  if (found === undefined)
    throw new StrataError("NOT_FOUND", `Cannot open checkpoint: tensor "${name}" is missing`);
  if (found.shape.join() !== shape.join())
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot open checkpoint: tensor "${name}" has shape [${found.shape.join()}], ` +
        `config.json says [${shape.join()}]`,
    );
  if (!/^B?F\d+$/.test(found.dtype))
    throw new StrataError(
      "UNSUPPORTED",
      `Cannot open checkpoint: tensor "${name}" is ${found.dtype}, expected floating-point numbers`,
    );
  return found;
}

async function withReader<T>(path: string, work: (reader: HashedReader) => Promise<T>): Promise<T> {
  const reader = await HashedReader.open(path);
  try {
    return await work(reader);
  } finally {
    await reader.close();
  }
}
