/**
 * What is wrong with the weights of versions, for those who are shown them. A model that is shown
 * has its weights read for it; one that is listed tells what reading has found before, since a list
 * of ten thousand models must not read ten thousand blobs.
 */
import type { Version, VirtualModel } from "../../entities/virtual-model.ts";
import type { Digest } from "../../foundation/digest.ts";
import { StrataError } from "../../foundation/errors.ts";
import type { Blobs, VersionTable } from "../../storage/storage.ts";

/** Bytes that are read for one answer, at most; of what lies beyond, it is told what is known. */
const readBytesMax = 64 * 1024 * 1024;

export interface ShownVersion {
  readonly version: Version;
  /** What is wrong with its weights; null where nothing is, or it is not known. */
  readonly fault: string | null;
}

/** The versions, each with what is wrong with its weights. */
export async function* withFaults(
  blobs: Blobs,
  versions: AsyncIterable<Version>,
): AsyncGenerator<ShownVersion, void, undefined> {
  let bytes = 0;
  for await (const version of versions) {
    const { blob, blobBytes } = version;
    bytes += blobBytes;
    const isRead = bytes <= readBytesMax;
    const fault = isRead ? await readFault(blobs, blob) : (blobs.faults.get(blob) ?? null);
    yield { version, fault };
  }
}

/** Why the version that serves the model cannot be called; null when its weights can be read. */
export function servedFault(
  blobs: Blobs,
  versions: Pick<VersionTable, "get">,
  model: VirtualModel,
): Promise<string | null> {
  return ofServed(versions, model, ({ blob }) => readFault(blobs, blob));
}

/** The same, as far as it is known: while nothing is wrong with any blob nothing is looked up. */
export async function knownServedFault(
  { faults }: Blobs,
  versions: Pick<VersionTable, "get">,
  model: VirtualModel,
): Promise<string | null> {
  if (faults.size === 0) return null;
  return ofServed(versions, model, async ({ blob }) => faults.get(blob) ?? null);
}

async function ofServed(
  versions: Pick<VersionTable, "get">,
  { incarnation, servedVersion }: VirtualModel,
  faultOf: (version: Version) => Promise<string | null>,
): Promise<string | null> {
  if (servedVersion === undefined) return null;
  try {
    const version = await versions.get(incarnation, servedVersion);
    // One that has gone meanwhile was deleted with its model.
    return version === undefined ? null : await faultOf(version);
  } catch (error) {
    return messageOf(error);
  }
}

async function readFault(blobs: Blobs, blob: Digest): Promise<string | null> {
  try {
    for await (const _ of blobs.stream(blob));
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** A fault of the world is told in place of what it keeps from being read. */
function messageOf(error: unknown): string {
  if (error instanceof StrataError) return error.message;
  throw error;
}
