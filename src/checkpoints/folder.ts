/**
 * Opens a checkpoint folder in Hugging Face layout. Small files are read and checked at once, the
 * weights when they are asked for. What is read is compared with its digest as it is read, so that
 * the bytes that were checked are the bytes that are used.
 */
import { join, resolve } from "node:path";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Tokenizer } from "../formats/formats.ts";
import { tokenizerOfJson, tokenizerOfVocabulary } from "../formats/tokenizer.ts";
import { type Digest, digestOf } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { familyOf } from "../models/families/families.ts";
import type { Checkpoint } from "./checkpoints.ts";
import { checkModules, parseCasing, parseConfig, parsePooling, parseTokensMax } from "./config.ts";
import {
  checkpointFiles,
  corruptFile,
  digestOfFile,
  isWanted,
  pickleRefusal,
  readSmallFile,
  sizeOf,
} from "./files.ts";
import { checkWeights, readWeights } from "./weights-file.ts";

const weightsFile = "model.safetensors";

/** Digests of files by path. */
export type FileDigests = ReadonlyMap<string, Digest>;

/**
 * Reads and checks everything but the values of the tensors. When digests are recorded, exactly
 * those files count, and CORRUPT names the first that has other bytes.
 * NOT_FOUND: no folder or file; INVALID_ARGUMENT: a file says something impossible; UNSUPPORTED:
 * another family, pooling or format; CORRUPT: the weights are not safetensors.
 */
export async function openCheckpoint(folder: string, recorded?: FileDigests): Promise<Checkpoint> {
  const root = resolve(folder);
  const texts = await readTexts(root, recorded);
  const read = (path: string): string | undefined => texts.get(path)?.text;
  const config = parseConfig(required(root, "config.json", read("config.json")));
  checkModules(read("modules.json"));
  const pooling = parsePooling(read("1_Pooling/config.json"));
  const asked = parseTokensMax(read("sentence_bert_config.json"));
  const tokensMax = Math.min(asked ?? config.positionCount, config.positionCount);
  const weights = join(root, weightsFile);
  if ((await sizeOf(weights)) === undefined) throw await noWeights(root);
  await checkWeights(weights, config);
  const weightsDigest = recorded?.get(weightsFile) ?? (await digestOfFile(weights));
  if (weightsDigest === undefined) throw await noWeights(root);
  const files = new Map([...texts].map(([path, { digest }]) => [path, digest]));
  files.set(weightsFile, weightsDigest);
  return {
    config,
    pooling,
    tokensMax,
    folder: root,
    files,
    digest: digestOf([...files].map(([path, digest]) => `${digest} ${path}\n`).join("")),
    tensors: () => readWeights(weights, config, weightsDigest),
    tokenizer: once(() => openTokenizer({ root, files, config, tokensMax })),
  };
}

/** Calls `open` at the first call, and again after it has failed. */
function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    if (opened !== undefined) return opened;
    const opening = open();
    opened = opening;
    opening.catch(() => (opened = undefined));
    return opening;
  };
}

interface TextFile {
  readonly text: string;
  readonly digest: Digest;
}

/** The small files that count, by path, in the order of `checkpointFiles`. */
async function readTexts(
  root: string,
  recorded: FileDigests | undefined,
): Promise<ReadonlyMap<string, TextFile>> {
  const texts = new Map<string, TextFile>();
  for (const file of checkpointFiles) {
    if (file.path === weightsFile || !isWanted(file, texts)) continue;
    if (recorded !== undefined && !recorded.has(file.path)) continue;
    const text = await readText(root, file.path, recorded?.get(file.path));
    if (text !== undefined) texts.set(file.path, text);
  }
  return texts;
}

/** Undefined when there is no such file and none is expected. */
async function readText(
  root: string,
  path: string,
  expected: Digest | undefined,
): Promise<TextFile | undefined> {
  const bytes = await readSmallFile(join(root, path));
  const digest = bytes === undefined ? undefined : digestOf(bytes);
  if (expected !== undefined && digest !== expected) throw corruptFile(path, expected, digest);
  if (bytes === undefined || digest === undefined) return undefined;
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), digest };
  } catch (cause) {
    throw new StrataError("INVALID_ARGUMENT", `Cannot read ${path}: it is not UTF-8`, { cause });
  }
}

interface TokenizerPlace {
  readonly root: string;
  readonly files: FileDigests;
  readonly config: EncoderConfig;
  readonly tokensMax: number;
}

async function openTokenizer(place: TokenizerPlace): Promise<Tokenizer> {
  const { root, files, config, tokensMax } = place;
  const { vocabularySize } = config;
  const special = familyOf(config).specialTokens;
  const read = async (path: string): Promise<string | undefined> => {
    const digest = files.get(path);
    return digest === undefined ? undefined : (await readText(root, path, digest))?.text;
  };
  const json = await read("tokenizer.json");
  if (json !== undefined) return tokenizerOfJson(json, { vocabularySize, tokensMax, special });
  return tokenizerOfVocabulary(required(root, "vocab.txt", await read("vocab.txt")), {
    casing: parseCasing(await read("tokenizer_config.json")),
    vocabularySize,
    tokensMax,
    special,
  });
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
  return absent(root, weightsFile);
}

function required(root: string, path: string, text: string | undefined): string {
  if (text === undefined) throw absent(root, path);
  return text;
}

function absent(root: string, path: string): StrataError {
  return new StrataError("NOT_FOUND", `Cannot open checkpoint "${root}": there is no ${path}`);
}
