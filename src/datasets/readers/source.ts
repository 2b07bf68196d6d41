/** A user's bytes become pieces of text: takes gzip off, and refuses what is no text. */
import { once } from "node:events";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { type ErrorCode, StrataError } from "../../foundation/errors.ts";
import { limits } from "../../foundation/limits.ts";
import { peek } from "../../foundation/peek.ts";
import { Decoding, type DecodingLoss, type Encoding } from "./decoding.ts";

/** What is known of a file beside its bytes. */
export interface ReadOptions {
  /** The name that the user gave it. Its ending decides where the content does not. */
  readonly filename: string;
  /** The field of a request that is to blame when the file cannot be read. */
  readonly field?: string;
  readonly signal?: AbortSignal | undefined;
}

type Chunks = AsyncIterable<Uint8Array>;

/** Small enough that no piece holds the main thread. */
const pieceBytes = 64 * 1024;
const startBytes = 4096;

/** Fails with the one sentence that tells the user what the file is and what to do. */
export function refuse(options: ReadOptions, state: string, code?: ErrorCode): never {
  const { filename, field } = options;
  const message = `Cannot read "${filename}": ${state}`;
  throw new StrataError(code ?? "INVALID_ARGUMENT", message, field === undefined ? {} : { field });
}

/** The file's text in pieces, up to its end or to the first loss. */
export async function* textPieces(
  chunks: Chunks,
  options: ReadOptions,
): AsyncGenerator<string | DecodingLoss> {
  const bytes = limited(await expanded(chunks, options), options);
  const { start, all } = await peek(bytes, startBytes);
  try {
    const { encoding, markBytes } = encodingOf(start, options);
    const decoding = new Decoding(encoding);
    let skippedBytes = markBytes;
    for await (const chunk of all) {
      for (let start = skippedBytes; start < chunk.length; start += pieceBytes) {
        const { text, loss } = decoding.next(chunk.subarray(start, start + pieceBytes));
        if (text !== "") yield text;
        if (loss !== undefined) {
          yield loss;
          return;
        }
      }
      skippedBytes = 0;
    }
    const { text, loss } = decoding.end();
    if (text !== "") yield text;
    if (loss !== undefined) yield loss;
  } finally {
    await all.return?.();
  }
}

/** Begins of files that are no text, and what to do about them. */
const foreignFiles: readonly (readonly [readonly number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], "a zip archive or an Excel workbook; save it as CSV in UTF-8"],
  [[0xd0, 0xcf, 0x11, 0xe0], "an Excel workbook; save it as CSV in UTF-8"],
  [[0x50, 0x41, 0x52, 0x31], "a Parquet file; save it as JSON lines"],
  [[0x25, 0x50, 0x44, 0x46], "a PDF; save it as CSV in UTF-8"],
  [[0x28, 0xb5, 0x2f, 0xfd], "packed by zstd; unpack it first, or use gzip"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], "packed by xz; unpack it first, or use gzip"],
  [[0x78, 0x9c], "packed by zlib, as spaCy's .spacy; save it as JSON lines"],
  [[0x42, 0x5a, 0x68, 0x39, 0x31, 0x41], "packed by bzip2; unpack it first, or use gzip"],
  [[0xff, 0xfe, 0x00, 0x00], "UTF-32; save it as UTF-8"],
  [[0x00, 0x00, 0xfe, 0xff], "UTF-32; save it as UTF-8"],
];

function encodingOf(
  start: Uint8Array,
  options: ReadOptions,
): { readonly encoding: Encoding; readonly markBytes: number } {
  const startsWith = (mark: readonly number[]): boolean =>
    mark.every((byte, index) => start[index] === byte);
  for (const [mark, what] of foreignFiles) if (startsWith(mark)) refuse(options, `it is ${what}`);
  if (startsWith([0xef, 0xbb, 0xbf])) return { encoding: "utf-8", markBytes: 3 };
  if (startsWith([0xff, 0xfe])) return { encoding: "utf-16le", markBytes: 2 };
  if (startsWith([0xfe, 0xff])) return { encoding: "utf-16be", markBytes: 2 };
  if (hasZeroInEachPair(start))
    refuse(options, "it looks like UTF-16 without a byte order mark; save it as UTF-8");
  return { encoding: "utf-8", markBytes: 0 };
}

/** Latin letters in UTF-16 have a zero byte each, all on the same side. */
function hasZeroInEachPair(start: Uint8Array): boolean {
  const zeros = [0, 0];
  start.forEach((byte, index) => {
    if (byte === 0) zeros[index % 2] = (zeros[index % 2] ?? 0) + 1;
  });
  const [few, many] = zeros.toSorted((a, b) => a - b);
  return start.length >= 8 && (many ?? 0) > start.length / 5 && (few ?? 0) < start.length / 50;
}

/** The chunks, or what gzip has packed into them. */
async function expanded(chunks: Chunks, options: ReadOptions): Promise<Chunks> {
  const { start, all } = await peek(chunks, 2);
  return start[0] === 0x1f && start[1] === 0x8b ? gunzipped(all, options) : all;
}

async function* gunzipped(chunks: Chunks, options: ReadOptions): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: pieceBytes });
  const packed = Readable.from(chunks);
  // An error of the chunks destroys `gunzip`, and so reaches the loop below.
  pipeline(packed, gunzip, () => {});
  try {
    for await (const chunk of gunzip) yield chunk as Uint8Array; // what zlib's streams give
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code.startsWith("Z_")) refuse(options, "its gzip is damaged or cut short");
    throw error;
  } finally {
    // Whoever ends the reading may count on the chunks' being closed.
    packed.destroy();
    if (!packed.closed) await once(packed, "close");
  }
}

async function* limited(chunks: Chunks, options: ReadOptions): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > limits.trainingFileBytesMax)
      refuse(
        options,
        `it has more bytes than the limit of ${limits.trainingFileBytesMax}, gzip taken off`,
        "TOO_LARGE",
      );
    yield chunk;
  }
}
