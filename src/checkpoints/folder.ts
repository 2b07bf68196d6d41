/**
 * Opens a checkpoint folder in Hugging Face layout. Small files are read and checked at once,
 * tensors one by one by range, so that opening costs no memory of the size of the weights.
 */
import { open, readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { EncoderConfig } from "../entities/base-model.ts";
import { type Digest, digestOf } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Checkpoint, CheckpointTensor, Tokenizer } from "./checkpoints.ts";
import { checkpointFiles, digestOfFile, isAbsent, isWanted, pickleRefusal } from "./files.ts";
import { checkModules, parseCasing, parseConfig, parsePooling, parseTokensMax } from "./config.ts";
import {
  headerBytesOf,
  parseSafetensorsHeader,
  prefixBytes,
  type TensorRange,
  toFloat32,
} from "./safetensors.ts";
import { tokenizerOfJson, tokenizerOfVocabulary } from "./tokenizer.ts";

/**
 * Reads and checks everything but the values of the tensors.
 * NOT_FOUND: no folder or file; INVALID_ARGUMENT: a file says something impossible; UNSUPPORTED:
 * another family, pooling or format; CORRUPT: the weights are not safetensors.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const root = resolve(folder);
  const read = (path: string) => readText(root, path);
  const config = parseConfig(await required(root, "config.json"));
  checkModules(await read("modules.json"));
  const pooling = parsePooling(await read("1_Pooling/config.json"));
  const asked = parseTokensMax(await read("sentence_bert_config.json"));
  const tokensMax = Math.min(asked ?? config.positionCount, config.positionCount);
  const weights = await openWeights(root);
  checkShapes(weights.ranges, config);
  return {
    config,
    pooling,
    tokensMax,
    folder: root,
    digest: await digestOfCheckpoint(root),
    tensorNames: [...weights.ranges.keys()],
    tensor: (name) => readTensor(weights, name),
    tokenizer: () => openTokenizer(root, config, tokensMax),
  };
}

/** Digest of the list of the checkpoint's files with their digests. */
async function digestOfCheckpoint(root: string): Promise<Digest> {
  const lines: string[] = [];
  const paths = new Set<string>();
  for (const file of checkpointFiles) {
    if (!isWanted(file, paths)) continue;
    const digest = await digestOfFile(join(root, file.path));
    if (digest === undefined) continue;
    paths.add(file.path);
    lines.push(`${digest} ${file.path}\n`);
  }
  return digestOf(lines.join(""));
}

async function openTokenizer(
  root: string,
  config: EncoderConfig,
  tokensMax: number,
): Promise<Tokenizer> {
  const json = await readText(root, "tokenizer.json");
  const tokenizer =
    json === undefined
      ? tokenizerOfVocabulary(await required(root, "vocab.txt"), {
          casing: parseCasing(await readText(root, "tokenizer_config.json")),
          tokensMax,
        })
      : tokenizerOfJson(json, tokensMax);
  if (tokenizer.vocabularySize > config.vocabularySize)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot open tokenizer: it has ${tokenizer.vocabularySize} tokens, ` +
        `the model knows ${config.vocabularySize}`,
    );
  return tokenizer;
}

interface Weights {
  readonly path: string;
  /** Where the tensors begin in the file. */
  readonly dataStart: number;
  readonly ranges: ReadonlyMap<string, TensorRange>;
}

async function openWeights(root: string): Promise<Weights> {
  const path = join(root, "model.safetensors");
  const fileBytes = await sizeOf(path);
  if (fileBytes === undefined) throw await noWeights(root);
  const prefix = await readRange(path, 0, Math.min(prefixBytes, fileBytes));
  const dataStart = prefixBytes + headerBytesOf(prefix, fileBytes);
  const json = await readRange(path, prefixBytes, dataStart);
  const header = parseSafetensorsHeader(json, fileBytes - dataStart);
  const ranges = new Map<string, TensorRange>();
  for (const [name, range] of header.ranges) {
    const plain = plainName(name);
    if (ranges.has(plain))
      throw new StrataError("CORRUPT", `Cannot open checkpoint: two tensors are "${plain}"`);
    ranges.set(plain, range);
  }
  return { path, dataStart, ranges };
}

/** Checkpoints of the first years call a norm's weight and bias gamma and beta. */
function plainName(name: string): string {
  return name
    .replace(/^bert\./, "")
    .replace(/\.gamma$/, ".weight")
    .replace(/\.beta$/, ".bias");
}

async function noWeights(root: string): Promise<StrataError> {
  const has = async (file: string) => (await sizeOf(join(root, file))) !== undefined;
  if (await has("model.safetensors.index.json"))
    return new StrataError(
      "UNSUPPORTED",
      `Cannot open checkpoint "${root}": its weights are sharded; ` +
        "save them as one model.safetensors",
    );
  if (await has("pytorch_model.bin")) return new StrataError("UNSUPPORTED", pickleRefusal(root));
  return new StrataError(
    "NOT_FOUND",
    `Cannot open checkpoint "${root}": there is no model.safetensors`,
  );
}

async function readTensor(weights: Weights, name: string): Promise<CheckpointTensor> {
  const range = weights.ranges.get(name);
  if (range === undefined)
    throw new StrataError("NOT_FOUND", `Cannot read tensor "${name}": the checkpoint has none`);
  const { path, dataStart } = weights;
  return toFloat32(range, await readRange(path, dataStart + range.begin, dataStart + range.end));
}

/** The tensors that the configuration promises must be there in their sizes; others may be too. */
function checkShapes(ranges: ReadonlyMap<string, TensorRange>, config: EncoderConfig): void {
  for (const [name, shape] of bertShapes(config)) {
    const found = ranges.get(name);
    if (found === undefined)
      throw new StrataError("NOT_FOUND", `Cannot open checkpoint: tensor "${name}" is missing`);
    if (found.shape.join() !== shape.join())
      throw new StrataError(
        "INVALID_ARGUMENT",
        `Cannot open checkpoint: tensor "${name}" has shape [${found.shape.join()}], ` +
          `config.json says [${shape.join()}]`,
      );
  }
}

function* bertShapes(config: EncoderConfig): Generator<readonly [string, readonly number[]]> {
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  yield ["embeddings.word_embeddings.weight", [config.vocabularySize, hidden]];
  yield ["embeddings.position_embeddings.weight", [config.positionCount, hidden]];
  yield ["embeddings.token_type_embeddings.weight", [config.segmentCount, hidden]];
  yield* affine("embeddings.LayerNorm", [hidden]);
  for (let layer = 0; layer < config.layerCount; layer++) {
    const at = `encoder.layer.${layer}`;
    for (const part of ["self.query", "self.key", "self.value", "output.dense"])
      yield* affine(`${at}.attention.${part}`, [hidden, hidden]);
    yield* affine(`${at}.attention.output.LayerNorm`, [hidden]);
    yield* affine(`${at}.intermediate.dense`, [inner, hidden]);
    yield* affine(`${at}.output.dense`, [hidden, inner]);
    yield* affine(`${at}.output.LayerNorm`, [hidden]);
  }
}

/** A weight of `shape` and a bias of its first dimension. */
function* affine(
  name: string,
  shape: readonly [number, ...number[]],
): Generator<readonly [string, readonly number[]]> {
  yield [`${name}.weight`, shape];
  yield [`${name}.bias`, [shape[0]]];
}

async function readRange(path: string, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  const file = await open(path).catch((error: unknown) => {
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
  });
  try {
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, begin + filled);
      if (bytesRead === 0)
        throw new StrataError("CORRUPT", `Cannot read "${path}": it ends at ${begin + filled}`);
      filled += bytesRead;
    }
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
  } finally {
    await file.close();
  }
  return bytes;
}

async function required(root: string, path: string): Promise<string> {
  const text = await readText(root, path);
  if (text === undefined)
    throw new StrataError("NOT_FOUND", `Cannot open checkpoint "${root}": there is no ${path}`);
  return text;
}

/** A small text file, or undefined when there is none. */
async function readText(root: string, path: string): Promise<string | undefined> {
  const full = join(root, path);
  const bytes = await sizeOf(full);
  if (bytes === undefined) return undefined;
  const most = limits.checkpointTextBytesMax;
  if (bytes > most)
    throw new StrataError("TOO_LARGE", `Cannot read "${full}": ${bytes} bytes, at most ${most}`);
  return readFile(full, "utf8").catch((error: unknown) => {
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${full}"`);
  });
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${path}"`);
  }
}
