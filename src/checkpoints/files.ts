/** Which files make a checkpoint, how large each may be, and why others are left alone. */
import { createReadStream } from "node:fs";
import { readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Digest, DigestStream } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

export interface CheckpointFile {
  readonly path: string;
  readonly isRequired: boolean;
  /** A larger one is refused before its bytes are fetched or written. */
  readonly bytesMax: number;
  /** Not read when there is a file of this path, which stands before it in the list. */
  readonly unless?: string;
}

const textBytesMax = limits.checkpointTextBytesMax;
const small = { isRequired: false, bytesMax: textBytesMax };

/** All that Strata reads of a checkpoint; sources bring these and no others. */
export const checkpointFiles: readonly CheckpointFile[] = [
  { path: "config.json", isRequired: true, bytesMax: textBytesMax },
  { path: "tokenizer.json", ...small },
  { path: "vocab.txt", ...small, unless: "tokenizer.json" },
  { path: "tokenizer_config.json", ...small, unless: "tokenizer.json" },
  { path: "sentence_bert_config.json", ...small },
  { path: "modules.json", ...small },
  { path: "1_Pooling/config.json", ...small },
  { path: "model.safetensors", isRequired: true, bytesMax: limits.checkpointWeightsBytesMax },
];

/** Whether the file counts beside those of `paths`. */
export function isWanted(
  file: CheckpointFile,
  paths: { readonly has: (path: string) => boolean },
): boolean {
  return file.unless === undefined || !paths.has(file.unless);
}

/** Takes away what an earlier pull has brought of the file, whole or in part. */
export async function removeFetched(folder: string, { path }: CheckpointFile): Promise<void> {
  for (const ending of ["", ".part", ".tag"])
    await rm(join(folder, path + ending), { force: true });
}

/** TOO_LARGE when the file may not have so many bytes. */
export function checkSize({ path, bytesMax }: CheckpointFile, bytes: number): void {
  if (bytes <= bytesMax) return;
  throw new StrataError(
    "TOO_LARGE",
    `Cannot accept ${path}: it has ${bytes} bytes, at most ${bytesMax} are allowed`,
  );
}

/** Digest of a file, or undefined when there is none. */
export async function digestOfFile(path: string): Promise<Digest | undefined> {
  if ((await sizeOf(path)) === undefined) return undefined;
  const digest = new DigestStream();
  try {
    const stream = createReadStream(path, { highWaterMark: 1 << 20 });
    const chunks = stream as AsyncIterable<Buffer>; // no encoding is set
    for await (const chunk of chunks) digest.update(chunk);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
  }
  return digest.finish();
}

/** The bytes of a text file, or undefined when there is none. */
export async function readSmallFile(path: string): Promise<Uint8Array | undefined> {
  const bytes = await sizeOf(path);
  if (bytes === undefined) return undefined;
  if (bytes > textBytesMax)
    throw new StrataError(
      "TOO_LARGE",
      `Cannot read "${path}": ${bytes} bytes, at most ${textBytesMax}`,
    );
  return readFile(path).catch((error: unknown) => {
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
  });
}

/**
 * The size in bytes, or undefined when there is no file; what is no plain file would be read for
 * ever.
 */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
  });
  if (found !== undefined && !found.isFile())
    throw new StrataError("INVALID_ARGUMENT", `Cannot read "${path}": it is no file`);
  return found?.size;
}

/** What is wrong with a file whose digest was recorded. */
export function corruptFile(
  path: string,
  expected: Digest,
  found: Digest | undefined,
): StrataError {
  const state = found === undefined ? "it is gone" : `expected ${expected}, got ${found}`;
  return new StrataError("CORRUPT", `Cannot read ${path}: ${state}`);
}

/** Why PyTorch's own format is not read, and the way out. */
export function pickleRefusal(where: string): string {
  return (
    `Cannot open checkpoint "${where}": its weights are a pickle (pytorch_model.bin), which can ` +
    `execute code when it is read; convert it to model.safetensors first, for example with ` +
    `save_pretrained(folder, safe_serialization=True) of transformers`
  );
}

export function isAbsent(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}
