/** Which files make a checkpoint, and why others are left alone. */
import { createReadStream } from "node:fs";
import { type Digest, DigestStream } from "../foundation/digest.ts";
import { wrapError } from "../foundation/errors.ts";

export interface CheckpointFile {
  readonly path: string;
  readonly isRequired: boolean;
  /** Not read when there is a file of this path, which stands before it in the list. */
  readonly unless?: string;
}

/** All that Strata reads of a checkpoint; sources bring these and no others. */
export const checkpointFiles: readonly CheckpointFile[] = [
  { path: "config.json", isRequired: true },
  { path: "tokenizer.json", isRequired: false },
  { path: "vocab.txt", isRequired: false, unless: "tokenizer.json" },
  { path: "tokenizer_config.json", isRequired: false, unless: "tokenizer.json" },
  { path: "sentence_bert_config.json", isRequired: false },
  { path: "modules.json", isRequired: false },
  { path: "1_Pooling/config.json", isRequired: false },
  { path: "model.safetensors", isRequired: true },
];

/** Whether the file counts beside those of `paths`. */
export function isWanted(file: CheckpointFile, paths: ReadonlySet<string>): boolean {
  return file.unless === undefined || !paths.has(file.unless);
}

/** Digest of a file, or undefined when there is none. */
export async function digestOfFile(path: string): Promise<Digest | undefined> {
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
