/**
 * A lookup table as a file: magic, format version and length of the header in 16 bytes, then the
 * sections header (JSON), keys, scales and rows, each followed by its SHA-256. All is written and
 * read in one pass, in pieces, straight from and into the table's memory. Numbers are
 * little-endian, as this platform's arrays are. A file is absent or complete.
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { type Digest, digestOf, DigestStream } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { FileOperations, FileWriter } from "../storage/files/file-operations.ts";
import type { LookupTable } from "./lookup-table.ts";
import { ngramsInOrder, numberNgrams } from "./ngram-map.ts";
import { allocateRows, type TableRows } from "./table-rows.ts";

/** What a table belongs to. */
export interface TableOrigin {
  /** The base whose shallow part computed the rows. */
  readonly base: Digest;
  /** The table that answers for what this one lacks; a general table has none. */
  readonly parent: Digest | null;
}

export interface StoredTable {
  readonly table: LookupTable;
  readonly origin: TableOrigin;
  /** Names all of the file's bytes: the SHA-256 of its sections' SHA-256s. */
  readonly digest: Digest;
}

const magic = "strataLT";
const formatVersion = 1;
const preambleBytes = 16;
const checksumBytes = 32;
const chunkBytes = 4 * 1024 * 1024;

const digest = z.templateLiteral(["sha256:", z.string().regex(/^[0-9a-f]{64}$/)]);

const headerSchema = z.strictObject({
  base: digest,
  parent: digest.nullable(),
  precision: z.enum(["fp16", "int8"]),
  hiddenSize: z.int().min(1).max(limits.hiddenSizeMax),
  entryCount: z.int().min(0),
});

/** Writes the table durably under the path, in place of what was there; returns its digest. */
export async function writeTable(
  path: string,
  { table, origin }: Omit<StoredTable, "digest">,
  files: FileOperations,
): Promise<Digest> {
  const { precision, hiddenSize } = table.rows;
  const { size: entryCount } = table.map;
  const header = Buffer.from(JSON.stringify({ ...origin, precision, hiddenSize, entryCount }));
  const preamble = Buffer.alloc(preambleBytes, magic);
  preamble.writeUInt32LE(formatVersion, 8);
  preamble.writeUInt32LE(header.length, 12);
  const part = `${path}.part`;
  try {
    const checksums: Digest[] = [];
    const writer = await files.create(part);
    try {
      await writer.write(preamble);
      for (const section of [[header], ...sectionsOf(ngramsInOrder(table.map), table.rows)])
        checksums.push(await writeSection(writer, section));
      await writer.sync();
    } finally {
      await writer.close();
    }
    await files.rename(part, path);
    await files.syncFolder(dirname(path));
    return digestOf(checksums.join());
  } catch (error) {
    // When this fails too, the next writing replaces the file.
    await files.remove(part).catch(() => {});
    throw wrapError(error, "UNAVAILABLE", `Cannot write lookup table "${path}"`);
  }
}

async function writeSection(writer: FileWriter, section: Section): Promise<Digest> {
  const stream = new DigestStream();
  for (const chunk of chunksOf(section)) {
    stream.update(chunk);
    await writer.write(chunk);
  }
  const checksum = stream.finish();
  await writer.write(bytesOfDigest(checksum));
  return checksum;
}

/**
 * Reads a table into shared memory, and nothing beside it but one list of its n-grams. NOT_FOUND
 * when there is no such file, UNSUPPORTED for another format version, CORRUPT when bytes are
 * missing, left over, or not those that were written.
 */
export async function readTable(path: string): Promise<StoredTable> {
  try {
    const file = await open(path, "r");
    try {
      return await new TableReader(file).read();
    } finally {
      await file.close();
    }
  } catch (error) {
    const action = `Cannot read lookup table "${path}"`;
    if (error instanceof StrataError)
      throw new StrataError(error.code, `${action}: ${error.message}`, { cause: error });
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw wrapError(error, isAbsent ? "NOT_FOUND" : "UNAVAILABLE", action);
  }
}

/** Reads one file from its start to its end. */
class TableReader {
  readonly #file: FileHandle;
  readonly #checksums: Digest[] = [];
  #position = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async read(): Promise<StoredTable> {
    const { precision, hiddenSize, entryCount, ...origin } = await this.#header();
    const { size } = await this.#file.stat();
    // Before memory is asked for.
    if (size < 3 * hiddenSize * entryCount) throw corrupt("it ends too early");
    const ngrams = new Int32Array(3 * entryCount);
    const rows = allocateRows({ precision, hiddenSize }, 1 + entryCount);
    for (const section of sectionsOf(ngrams, rows)) await this.#section(section);
    if (this.#position !== size) throw corrupt(`it has ${size - this.#position} bytes too many`);
    const map = numberNgrams(ngrams);
    if (map.size !== entryCount) throw corrupt(`only ${map.size} of its n-grams are distinct`);
    return { table: { map, rows }, origin, digest: digestOf(this.#checksums.join()) };
  }

  async #header(): Promise<z.infer<typeof headerSchema>> {
    const preamble = Buffer.alloc(preambleBytes);
    await this.#fill(preamble);
    if (preamble.toString("latin1", 0, magic.length) !== magic)
      throw corrupt("it does not begin as one");
    const version = preamble.readUInt32LE(8);
    if (version !== formatVersion)
      throw new StrataError("UNSUPPORTED", `its format is ${version}, not ${formatVersion}`);
    const length = preamble.readUInt32LE(12);
    if (length > limits.tableHeaderBytesMax) throw corrupt(`its header has ${length} bytes`);
    const header = new Uint8Array(length);
    await this.#section([header]);
    return parseHeader(header);
  }

  /** Fills the section and checks it. The next piece is read while the last one is hashed. */
  async #section(section: Section): Promise<void> {
    const stream = new DigestStream();
    let last: Uint8Array = new Uint8Array();
    for (const chunk of chunksOf(section)) {
      const filling = this.#fill(chunk);
      stream.update(last);
      await filling;
      last = chunk;
    }
    stream.update(last);
    const checksum = stream.finish();
    const written = Buffer.alloc(checksumBytes);
    await this.#fill(written);
    if (!written.equals(bytesOfDigest(checksum))) throw corrupt("a checksum does not fit");
    this.#checksums.push(checksum);
  }

  async #fill(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, { offset });
      if (bytesRead === 0) throw corrupt("it ends too early");
      offset += bytesRead;
      this.#position += bytesRead;
    }
  }
}

/** What is written and checked together, in pieces as they lie in memory. */
type Section = readonly Uint8Array[];

/** Keys `[entries, 3]`, scales, and rows. */
function sectionsOf(ngrams: Int32Array, { scales, blocks }: TableRows): readonly Section[] {
  return [[ngrams], [scales], blocks].map((views) =>
    views.map(
      ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
    ),
  );
}

function* chunksOf(section: Section): Iterable<Uint8Array> {
  for (const bytes of section)
    for (let start = 0; start < bytes.length; start += chunkBytes)
      yield bytes.subarray(start, start + chunkBytes);
}

function parseHeader(header: Uint8Array): z.infer<typeof headerSchema> {
  try {
    return headerSchema.parse(JSON.parse(Buffer.from(header).toString()));
  } catch (error) {
    throw wrapError(error, "CORRUPT", "its header is not one");
  }
}

function bytesOfDigest(checksum: Digest): Buffer {
  return Buffer.from(checksum.slice("sha256:".length), "hex");
}

function corrupt(state: string): StrataError {
  return new StrataError("CORRUPT", state);
}
