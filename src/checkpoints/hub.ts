/** Source `hf:`: files of a repository on the Hugging Face hub, or on a mirror of it. */
import { mkdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { download } from "./download.ts";
import { checkpointFiles, digestOfFile, isWanted } from "./files.ts";
import type { SourceRequest } from "./network.ts";

const placePattern = /^(?<repository>[\w.-]+(?:\/[\w.-]+)?)(?:@(?<revision>[\w.-]+))?$/;

/** Brings `owner/repository` or `owner/repository@revision`. Files that are there already stay. */
export async function fetchFromHub(request: SourceRequest): Promise<void> {
  const { environment } = request.network;
  const groups = placePattern.exec(request.place)?.groups;
  if (groups?.["repository"] === undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot read source "hf:${request.place}": expected hf:owner/repository[@revision]`,
    );
  const endpoint = environment["HF_ENDPOINT"] || "https://huggingface.co";
  const token = environment["HF_TOKEN"];
  const hub: Hub = {
    address: `${endpoint.replace(/\/+$/, "")}/${groups["repository"]}/resolve`,
    revision: groups["revision"] ?? "main",
    headers: token ? { authorization: `Bearer ${token}` } : {},
  };
  const paths = new Set<string>();
  for (const file of checkpointFiles) {
    if (!isWanted(file, paths)) continue;
    const isThere = await fetchFile({ ...request, path: file.path }, hub);
    if (isThere) paths.add(file.path);
    else if (file.isRequired) throw missing(request.place, file.path);
  }
}

interface Hub {
  readonly address: string;
  /** Becomes the commit that the first answer names, so that all files are of one state. */
  revision: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** False when the repository has no such file. */
async function fetchFile(request: SourceRequest & { path: string }, hub: Hub): Promise<boolean> {
  const { path, folder, pins, network } = request;
  const target = join(folder, path);
  const digest = pins[path];
  if (await isComplete(target, digest)) return true;
  await mkdir(dirname(target), { recursive: true });
  try {
    const { headers } = await download(
      {
        url: `${hub.address}/${hub.revision}/${path}`,
        headers: hub.headers,
        target,
        file: path,
        digest,
        bytesMax: limits.downloadBytesMax,
      },
      network,
    );
    const commit = headers.get("x-repo-commit") ?? "";
    if (/^[0-9a-f]{40}$/.test(commit)) hub.revision = commit;
    return true;
  } catch (error) {
    if (error instanceof StrataError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}

/** Whether an earlier pull, which was cut off later, has brought this file. */
async function isComplete(target: string, digest: string | undefined): Promise<boolean> {
  if (digest !== undefined) return (await digestOfFile(target)) === digest;
  return (await stat(target).catch(() => undefined)) !== undefined;
}

function missing(place: string, path: string): StrataError {
  const advice =
    path === "model.safetensors"
      ? "; pickled weights (pytorch_model.bin) can execute code and are not read, sharded ones " +
        "neither: save them as one model.safetensors"
      : "";
  return new StrataError("NOT_FOUND", `Cannot find ${path} in "hf:${place}"${advice}`);
}
