/**
 * Pulled base models: `<cache>/bases/<id>/` with the files of the checkpoint and `base.json`. A
 * folder gets its name when it is whole; names that begin with a dot are work in progress.
 */
import { open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { BaseModel } from "../entities/base-model.ts";
import { nameFault } from "../entities/virtual-model.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { syncFolder } from "../foundation/replace-file.ts";
import { parse } from "./config.ts";
import { checkpointFiles, digestOfFile } from "./files.ts";
import { openCheckpoint } from "./folder.ts";

export type PulledBase = BaseModel & {
  /** Absolute path of the checkpoint, for `openCheckpoint`. */
  readonly folder: string;
};

const recordFile = "base.json";

export const digest = z.templateLiteral(["sha256:", z.string().regex(/^[0-9a-f]{64}$/)]);

const record = z.object({
  id: z.string(),
  source: z.string(),
  digest,
  createdAt: z.number(),
  pooling: z.enum(["cls", "mean"]),
  tokensMax: z.int(),
  config: z.object({
    family: z.literal("bert"),
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

/** All pulled base models by name; damaged ones are left out. */
export async function listPulledBases(cacheFolder: string): Promise<readonly PulledBase[]> {
  const names = await readdir(join(cacheFolder, "bases")).catch(() => []);
  const bases: PulledBase[] = [];
  for (const name of names.sort((a, b) => (a < b ? -1 : 1))) {
    if (nameFault(name) !== undefined) continue;
    const base = await openPulledBase(cacheFolder, name).catch(() => undefined);
    if (base !== undefined) bases.push(base);
  }
  return bases;
}

/**
 * What is known of a pulled base; its files are there in their sizes.
 * NOT_FOUND: it has not been pulled; CORRUPT: a file is gone or has another size.
 */
export async function openPulledBase(cacheFolder: string, id: string): Promise<PulledBase> {
  const folder = folderOf(cacheFolder, id);
  const text = await readFile(join(folder, recordFile), "utf8").catch(() => undefined);
  if (text === undefined)
    throw new StrataError(
      "NOT_FOUND",
      `Cannot open base model "${id}": it is not here; get it by: strata base pull ${id}`,
    );
  const { files, ...base } = parse(record, text, join(folder, recordFile));
  for (const [path, { bytes }] of Object.entries(files)) {
    const found = await stat(join(folder, path)).catch(() => undefined);
    if (found?.size !== bytes)
      throw new StrataError(
        "CORRUPT",
        `Cannot open base model "${id}": ${path} should have ${bytes} bytes, ` +
          `has ${found?.size ?? "none"}; pull it again`,
      );
  }
  return { ...base, folder };
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
  /** Holds the files; moves into its place. */
  readonly staging: string;
  readonly source: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** Checks a filled folder and makes it the pulled base, durably, in place of a damaged one. */
export async function installBase(installation: Installation): Promise<PulledBase> {
  const { cacheFolder, id, staging, source, createdAt } = installation;
  const checkpoint = await openCheckpoint(staging);
  await checkpoint.tokenizer();
  const { config, pooling, tokensMax } = checkpoint;
  const base = { id, source, digest: checkpoint.digest, createdAt, pooling, tokensMax, config };
  const files: Record<string, { digest: Digest; bytes: number }> = {};
  for (const { path } of checkpointFiles) {
    const full = join(staging, path);
    const found = await digestOfFile(full);
    if (found !== undefined) files[path] = { digest: found, bytes: await syncFile(full) };
  }
  await writeFile(join(staging, recordFile), `${JSON.stringify({ ...base, files }, null, 2)}\n`);
  await syncFile(join(staging, recordFile));
  await syncFolder(staging);
  const folder = folderOf(cacheFolder, id);
  await rm(folder, { recursive: true, force: true });
  await rename(staging, folder);
  await syncFolder(dirname(folder));
  return { ...base, folder };
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
