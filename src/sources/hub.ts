/** Source `hf:`: files of a repository on the Hugging Face hub, or on a mirror of it. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StrataError } from "../foundation/errors.ts";
import { download } from "./download.ts";
import {
  type CheckpointFile,
  checkpointFiles,
  digestOfFile,
  isWanted,
  removeFetched,
  sizeOf,
} from "../checkpoints/files.ts";
import type { SourceRequest } from "./network.ts";

const placePattern = /^(?<repository>[\w.-]+(?:\/[\w.-]+)?)(?:@(?<revision>[\w.-]+))?$/;

/** It is written beside the files of a pull that is not pinned: the commit that they are of. */
const commitFile = ".commit";

const commitPattern = /^[0-9a-f]{40}$/;

/**
 * Brings `owner/repository` or `owner/repository@revision`, and returns the commit that it is. What
 * an earlier pull has brought of the same commit, or what has its pinned digest, stays.
 */
export async function fetchFromHub(request: SourceRequest): Promise<string | undefined> {
  const hub = hubOf(request);
  const isPinned = Object.keys(request.pins).length > 0;
  if (!isPinned) hub.revision = await settleRevision(request, hub);
  const paths = new Set<string>();
  for (const file of checkpointFiles) {
    if (!isWanted(file, paths)) continue;
    const found = await fetchFile(request, file, hub);
    if (found !== undefined) paths.add(file.path);
    else if (file.isRequired) throw missing(request.place, file.path);
  }
  return commitOf(hub.revision);
}

interface Hub {
  readonly address: string;
  /** A commit, so that all files are of one state; a branch where the server names no commit. */
  revision: string;
  readonly headers: Readonly<Record<string, string>>;
}

function hubOf({ place, commit, network }: SourceRequest): Hub {
  const { repository, revision } = placePattern.exec(place)?.groups ?? {};
  if (repository === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot read source "hf:${place}": expected hf:owner/repository[@revision]`,
    );
  const endpoint = network.environment["HF_ENDPOINT"] || "https://huggingface.co";
  const token = network.environment["HF_TOKEN"];
  return {
    address: `${endpoint.replace(/\/+$/, "")}/${repository}/resolve`,
    revision: revision ?? commit ?? "main",
    headers: token ? { authorization: `Bearer ${token}` } : {},
  };
}

/**
 * The commit that the revision names now. Files of another one that an earlier pull has left are
 * removed: a pull never mixes two.
 */
async function settleRevision(request: SourceRequest, hub: Hub): Promise<string> {
  const { folder, network, place } = request;
  const [config, ...others] = checkpointFiles as [CheckpointFile, ...CheckpointFile[]]; // not empty
  let commit = commitOf(hub.revision);
  const isGiven = commit !== undefined;
  if (!isGiven) {
    // The answer for the smallest file that every checkpoint has tells the commit.
    await removeFetched(folder, config);
    const headers = await fetchFile(request, config, hub);
    if (headers === undefined) throw missing(place, config.path);
    commit = commitOf(headers.get("x-repo-commit"));
    if (commit === undefined)
      network.telemetry.log.warn("The hub names no commit; a break in this pull starts it anew", {
        source: place,
      });
  }
  const record = join(folder, commitFile);
  const earlier = await readFile(record, "utf8").catch(() => undefined);
  if (commit === undefined || earlier !== commit) {
    await rm(record, { force: true });
    for (const file of isGiven ? checkpointFiles : others) await removeFetched(folder, file);
    if (commit !== undefined) await writeFile(record, commit);
  }
  return commit ?? hub.revision;
}

function commitOf(text: string | null): string | undefined {
  return text !== null && commitPattern.test(text) ? text : undefined;
}

/** What the server said of the file; undefined when the repository has none of this path. */
async function fetchFile(
  { folder, pins, network }: SourceRequest,
  { path, bytesMax }: CheckpointFile,
  hub: Hub,
): Promise<Headers | undefined> {
  const target = join(folder, path);
  const digest = pins[path];
  if (await isComplete(target, digest)) return new Headers();
  await mkdir(dirname(target), { recursive: true });
  const url = `${hub.address}/${hub.revision}/${path}`;
  const request = { url, headers: hub.headers, target, file: path, digest, bytesMax };
  try {
    const { headers } = await download(request, network);
    const commit = commitOf(headers.get("x-repo-commit"));
    const expected = commitOf(hub.revision);
    if (commit === undefined || expected === undefined || commit === expected) return headers;
    await rm(target);
    throw new StrataError(
      "UNAVAILABLE",
      `Cannot download ${path}: asked for commit ${expected}, the hub answered with ${commit}`,
    );
  } catch (error) {
    if (error instanceof StrataError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** Whether an earlier pull, which was cut off later, has brought this file. */
async function isComplete(target: string, digest: string | undefined): Promise<boolean> {
  if (digest !== undefined) return (await digestOfFile(target)) === digest;
  return (await sizeOf(target)) !== undefined;
}

function missing(place: string, path: string): StrataError {
  const advice =
    path === "model.safetensors"
      ? "; pickled weights (pytorch_model.bin) can execute code and are not read, sharded ones " +
        "neither: save them as one model.safetensors"
      : "";
  return new StrataError("NOT_FOUND", `Cannot find ${path} in "hf:${place}"${advice}`);
}
