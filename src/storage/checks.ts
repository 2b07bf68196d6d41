/** What every driver refuses, with the same words. */
import type { ModelIdentity, VirtualModel } from "../entities/virtual-model.ts";
import { type Digest, DigestStream } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import type { TenantCatalog, VersionTable } from "./storage.ts";

/** Who asks for a blob has its name from a row: that it is gone is damage, and no one's mistake. */
export function blobMissing(digest: Digest): StrataError {
  return new StrataError("CORRUPT", `Cannot read blob "${digest}": there is none`);
}

/**
 * What is read of the blob that a row names. When it cannot be read, `checkRow` fails if the row
 * has been deleted meanwhile, and the blob with it: that is the truer reason.
 */
export async function unlessDeleted<T>(
  reading: Promise<T>,
  checkRow: () => Promise<unknown>,
): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof StrataError && error.code === "CORRUPT") await checkRow();
    throw error;
  }
}

/** The pieces; CORRUPT in place of the last one when they do not have the digest. */
export async function* checkedPieces(
  digest: Digest,
  pieces: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  const stream = new DigestStream();
  let last: Uint8Array | undefined;
  for await (const piece of pieces) {
    if (last !== undefined) yield last;
    stream.update(piece);
    last = piece;
  }
  const found = stream.finish();
  if (found !== digest)
    throw new StrataError("CORRUPT", `Cannot read blob "${digest}": its bytes have "${found}"`);
  if (last !== undefined) yield last;
}

/** The chunks, up to `bytesMax`: then TOO_LARGE. A foreign error of the source is UNAVAILABLE. */
export async function* checkedStream(
  chunks: AsyncIterable<Uint8Array>,
  bytesMax: number,
): AsyncIterable<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > bytesMax)
        throw new StrataError("TOO_LARGE", `Cannot store a stream: the limit is ${bytesMax} bytes`);
      yield chunk;
    }
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", "Cannot read the stream that is to be stored");
  }
}

/** What was read; undefined when it has rotted: it cannot be known, but it can be deleted. */
export async function unlessRotten<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof StrataError && error.code === "CORRUPT") return undefined;
    throw error;
  }
}

/** What the interface tells of what is not there. */
export function notFound(kind: "file" | "job" | "model", id: string, field: string): StrataError {
  return new StrataError("NOT_FOUND", `The ${kind} "${id}" does not exist`, { field });
}

/** Whether the row has what is wanted: the texts in its fields, and the entries in its maps. */
export function isListed(row: object, where: object): boolean {
  return Object.entries(where).every(([name, wanted]: [string, unknown]) => {
    const found: unknown = Reflect.get(row, name);
    if (typeof wanted === "object" && wanted !== null)
      return typeof found === "object" && found !== null && isListed(found, wanted);
    return wanted === undefined || found === wanted;
  });
}

/** The row of this id; NOT_FOUND, which blames `field`, when there is none. */
export async function requireRow<Row>(
  kind: "file" | "job" | "model",
  table: { get(id: string): Promise<Row | undefined> },
  { id, field }: { readonly id: string; readonly field: string },
): Promise<Row> {
  const row = await table.get(id);
  if (row === undefined) throw notFound(kind, id, field);
  return row;
}

/** The model of this identity; NOT_FOUND when it has been deleted, whatever has its name now. */
export async function requireModel(
  { models }: Pick<TenantCatalog, "models">,
  { id, incarnation }: ModelIdentity,
): Promise<VirtualModel> {
  const model = await models.get(id);
  if (model?.incarnation === incarnation) return model;
  throw modelDeleted(id, model !== undefined);
}

/** So many of the versions that there are are told. */
const toldCountMax = 20;

/** NOT_FOUND; tells which versions there are: who names one has misread, or missed its deletion. */
export async function versionMissing(
  versions: Pick<VersionTable, "list">,
  { id, incarnation }: ModelIdentity,
  number: number,
): Promise<StrataError> {
  const rows = await versions.list(incarnation, { limit: toldCountMax });
  const more = rows.length === toldCountMax ? ", …" : "";
  const numbers = rows.map((row) => row.number).join(", ");
  const state = rows.length === 0 ? "it has none" : `it has ${numbers}${more}`;
  const message = `Cannot find version ${number} of "${id}": ${state}`;
  return new StrataError("NOT_FOUND", message, { field: "model" });
}

/** Who has the identity of a model has once found it. */
export function modelDeleted(id: string, hasNamesake = false): StrataError {
  const later = hasNamesake ? "; a later model has its name" : "";
  const message = `Cannot find model "${id}": it has been deleted${later}`;
  return new StrataError("NOT_FOUND", message, { field: "model" });
}

export function rowTaken(table: string, id: string): StrataError {
  return new StrataError("ALREADY_EXISTS", `Cannot insert into ${table}: "${id}" is taken`);
}

export function rowMissing(table: string, id: string): StrataError {
  return new StrataError("NOT_FOUND", `Cannot write to ${table}: there is no "${id}"`);
}

export function pageStartMissing(table: string, id: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot list ${table}: there is no "${id}"`, {
    field: "after",
  });
}
