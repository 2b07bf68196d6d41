/**
 * Pulled base models: `<cache>/bases/<id>/` with the files of the checkpoint and `base.json`. A
 * folder gets its name when it is whole; names that begin with a dot are work in progress.
 */
import { familyNames } from "../foundation/kind-names.ts";
import { open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { BaseModel } from "../entities/base-model.ts";
import { nameFault } from "../entities/virtual-model.ts";
import { parse } from "../formats/json.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { syncFolder } from "../foundation/replace-file.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import { corruptFile, digestOfFile, isAbsent } from "../checkpoints/files.ts";
import { openCheckpoint } from "../checkpoints/folder.ts";
import { knownBases } from "./known-bases.ts";

export type PulledBase = BaseModel & {
  /** Absolute path of the checkpoint. */
  readonly folder: string;
  /** What was pulled, by path in the folder. */
  readonly files: Readonly<Record<string, { readonly digest: Digest; readonly bytes: number }>>;
  /** The commit of the hub's repository that was pulled, when its source named none. */
  readonly commit?: string | undefined;
};

/** A folder of the cache: a base, or what is left of one and why it cannot be opened. */
export type CachedBase = { readonly id: string } & (
  | { readonly kind: "whole"; readonly base: PulledBase }
  | { readonly kind: "damaged"; readonly fault: StrataError }
);

const recordFile = "base.json";

export const digest = z.templateLiteral(["sha256:", z.string().regex(/^[0-9a-f]{64}$/)]);

const record = z.object({
  id: z.string(),
  source: z.string(),
  commit: z.string().optional(),
  digest,
  createdAt: z.number(),
  pooling: z.enum(["cls", "mean"]),
  tokensMax: z.int(),
  config: z.object({
    family: z.enum(familyNames),
    layerCount: z.int(),
    shallowLayerCount: z.int(),
    hiddenSize: z.int(),
    headCount: z.int(),
    intermediateSize: z.int(),
    vocabularySize: z.int(),
    positionCount: z.int(),
    segmentCount: z.int(),
    layerNormEpsilon: z.number(),
  }),
  files: z.record(z.string(), z.object({ digest, bytes: z.int() })),
});

/** All base models of the cache by name, the damaged ones too. */
export async function listCachedBases(cacheFolder: string): Promise<readonly CachedBase[]> {
  const folder = join(cacheFolder, "bases");
  const names = await readdir(folder).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw wrapError(error, "UNAVAILABLE", `Cannot read "${folder}"`);
  });
  const bases: CachedBase[] = [];
  for (const id of names.sort((a, b) => (a < b ? -1 : 1))) {
    if (nameFault(id) !== undefined) continue;
    try {
      bases.push({ id, kind: "whole", base: await openPulledBase(cacheFolder, id) });
    } catch (error) {
      const fault = wrapError(error, "CORRUPT", `Cannot open base model "${id}"`);
      bases.push({ id, kind: "damaged", fault });
    }
  }
  return bases;
}

/**
 * What is known of a pulled base; its files are there in their sizes.
 * NOT_FOUND: it has not been pulled; CORRUPT: a file is gone or has another size.
 */
export async function openPulledBase(cacheFolder: string, id: string): Promise<PulledBase> {
  const base = await readPulledBase(cacheFolder, id);
  const { folder } = base;
  for (const [path, { bytes }] of Object.entries(base.files)) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (found?.size === bytes) continue;
    const state = `${path} should have ${bytes} bytes, has ${found?.size ?? "none"}`;
    throw damaged(id, new Error(state), base.source);
  }
  return base;
}

/** The same, whatever has become of its files. */
export async function readPulledBase(cacheFolder: string, id: string): Promise<PulledBase> {
  const folder = folderOf(cacheFolder, id);
  const text = await readRecord(folder, id);
  try {
    const base = { ...parse(record, text, recordFile), folder };
    if (base.id !== id) throw new Error(`${recordFile} is of "${base.id}"`);
    return base;
  } catch (error) {
    throw damaged(id, error);
  }
}

async function readRecord(folder: string, id: string): Promise<string> {
  try {
    return await readFile(join(folder, recordFile), "utf8");
  } catch (error) {
    if (!isAbsent(error)) throw wrapError(error, "UNAVAILABLE", `Cannot open base model "${id}"`);
    // A folder without the record is what is left of a base.
    if ((await stat(folder).catch(() => undefined)) !== undefined)
      throw damaged(id, new Error(`${recordFile} is gone`));
    const known = knownBases.some(({ name }) => name === id);
    const advice = `get it by: strata base pull ${id}${known ? "" : " --source …"}`;
    throw new StrataError("NOT_FOUND", `Cannot open base model "${id}": it is not here; ${advice}`);
  }
}

/**
 * Opens the checkpoint of a pulled base: every byte that it gives has the digest with which it was
 * pulled. CORRUPT with the name of the file where that is not so.
 */
export async function openBaseCheckpoint(base: PulledBase): Promise<Checkpoint> {
  const digests = Object.entries(base.files).map(([path, file]) => [path, file.digest] as const);
  try {
    const checkpoint = await openCheckpoint(base.folder, new Map(digests));
    const { config, pooling, tokensMax } = checkpoint;
    const isAsRecorded =
      checkpoint.digest === base.digest &&
      isDeepStrictEqual({ config, pooling, tokensMax }, pick(base));
    if (!isAsRecorded)
      throw new StrataError("CORRUPT", `${recordFile} says other things than the files`);
    return {
      ...checkpoint,
      tensors: () => told(base, checkpoint.tensors()),
    };
  } catch (error) {
    throw damaged(base.id, error, base.source);
  }
}

function pick({ config, pooling, tokensMax }: PulledBase): object {
  return { config, pooling, tokensMax };
}

/** The same, with errors that name the base and the remedy. */
async function* told<T>(base: PulledBase, items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw damaged(base.id, error, base.source);
  }
}

/** Reads every file; CORRUPT with the names of those that are not what was pulled. */
export async function checkPulledBase(base: PulledBase): Promise<void> {
  const faults: string[] = [];
  for (const [path, { digest: expected }] of Object.entries(base.files)) {
    const found = await digestOfFile(join(base.folder, path));
    if (found !== expected) faults.push(corruptFile(path, expected, found).message);
  }
  if (faults.length > 0) throw damaged(base.id, new Error(faults.join("; ")), base.source);
  await openBaseCheckpoint(base);
}

/** CORRUPT, with what to do; an error that is none of the files' passes through. */
function damaged(id: string, error: unknown, source?: string): StrataError {
  if (error instanceof StrataError && ["UNAVAILABLE", "UNSUPPORTED"].includes(error.code))
    return error;
  const state = error instanceof Error ? error.message : String(error);
  const isKnown = knownBases.some(({ name }) => name === id);
  const from = isKnown ? "" : ` --source ${source ?? "SOURCE"}`;
  return new StrataError(
    "CORRUPT",
    `Cannot open base model "${id}": ${state}; pull it again: strata base pull ${id}${from}`,
    { cause: error },
  );
}

/** Deletes a pulled base; NOT_FOUND when there is none. */
export async function removePulledBase(cacheFolder: string, id: string): Promise<void> {
  const folder = folderOf(cacheFolder, id);
  const gone = join(cacheFolder, "bases", `.${id}.gone`);
  await rm(gone, { recursive: true, force: true });
  try {
    await rename(folder, gone);
  } catch (error) {
    throw wrapError(error, "NOT_FOUND", `Cannot remove base model "${id}"`);
  }
  await rm(gone, { recursive: true, force: true });
}

export interface Installation {
  readonly cacheFolder: string;
  readonly id: string;
  /** The folder that holds the files; it moves into its place. */
  readonly staging: string;
  readonly source: string;
  /** The commit of the hub's repository. */
  readonly commit?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/**
 * Checks a filled folder, the values of its tensors too, and makes it the pulled base, durably, in
 * place of a damaged one.
 */
export async function installBase(installation: Installation): Promise<PulledBase> {
  const { cacheFolder, id, staging, source, commit, createdAt } = installation;
  const checkpoint = await openCheckpoint(staging);
  await tryTokenizer(checkpoint);
  for await (const _ of checkpoint.tensors());
  const { config, pooling, tokensMax } = checkpoint;
  const files: Record<string, { digest: Digest; bytes: number }> = {};
  for (const [path, found] of checkpoint.files)
    files[path] = { digest: found, bytes: await syncFile(join(staging, path)) };
  const facts = { digest: checkpoint.digest, createdAt, pooling, tokensMax, config, files };
  const base = { id, source, ...(commit === undefined ? {} : { commit }), ...facts };
  await removeOthers(staging, new Set(Object.keys(files)));
  await writeFile(join(staging, recordFile), `${JSON.stringify(base, null, 2)}\n`);
  await syncFile(join(staging, recordFile));
  await syncFolder(staging);
  const folder = folderOf(cacheFolder, id);
  await rm(folder, { recursive: true, force: true });
  await rename(staging, folder);
  await syncFolder(dirname(folder));
  return { ...base, folder };
}

/** What earlier pulls that were cut off have left is no part of the base. */
async function removeOthers(folder: string, kept: ReadonlySet<string>): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).replaceAll("\\", "/");
    if (!entry.isDirectory() && !kept.has(name)) await rm(path, { force: true });
  }
}

/** Some of every kind: nothing, space, words, marks, ideographs, a lone surrogate. */
const probes = ["", " ", "word", "w".repeat(1_000), "!?", "e\u0301", "\u4e2d\u6587", "\ud800"];

/** The library is native: what would end a process shall end this one, and not a server. */
async function tryTokenizer(checkpoint: Checkpoint): Promise<void> {
  const { ids } = await (await checkpoint.tokenizer()).encode(probes);
  const { vocabularySize } = checkpoint.config;
  for (const [index, row] of ids.entries())
    if (row.length === 0 || row.some((id) => id < 0 || id >= vocabularySize))
      throw new StrataError(
        "INVALID_ARGUMENT",
        `Cannot open tokenizer: it makes [${row.join()}] of ${JSON.stringify(probes[index])}, ` +
          `expected ids below ${vocabularySize}`,
      );
}

function folderOf(cacheFolder: string, id: string): string {
  const fault = nameFault(id);
  if (fault !== undefined)
    throw new StrataError("INVALID_ARGUMENT", `Cannot name a base model "${id}": ${fault}`);
  return join(cacheFolder, "bases", id);
}

/** Returns the size. */
async function syncFile(path: string): Promise<number> {
  const file = await open(path, "r+");
  try {
    await file.sync();
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}
