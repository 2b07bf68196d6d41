/**
 * A multipart upload, streamed: the file goes into the store as it arrives and is never whole in
 * memory. Parts may come in any order.
 */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { Busboy, type BusboyFileStream, type BusboyInstance } from "@fastify/busboy";
import type { Digest } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Blobs } from "../storage/storage.ts";

export interface Upload {
  readonly fields: ReadonlyMap<string, string>;
  readonly filename: string;
  readonly digest: Digest;
  readonly bytes: number;
}

export interface UploadSink {
  readonly blobs: Pick<Blobs, "putStream">;
  /** Removes a blob that was stored in vain. */
  drop(blob: Digest): Promise<void>;
}

/**
 * Stores the part named `file`. UNSUPPORTED_MEDIA_TYPE when the body is no multipart form,
 * INVALID_ARGUMENT when it is a broken one or has no file, TOO_LARGE past `uploadBytesMax`.
 */
export async function receiveUpload(request: Request, sink: UploadSink): Promise<Upload> {
  const type = request.headers.get("content-type") ?? "none";
  if (!/^\s*multipart\/form-data\b/i.test(type))
    throw new StrataError(
      "UNSUPPORTED_MEDIA_TYPE",
      `Cannot read the upload: expected content type multipart/form-data, got "${type}"`,
    );
  if (Number(request.headers.get("content-length") ?? 0) > uploadBodyBytesMax)
    throw new StrataError(
      "TOO_LARGE",
      `Cannot read the upload: expected at most ${limits.uploadBytesMax} bytes`,
    );
  if (request.body === null) throw invalid("the body is empty");
  return receive(request.body, openParser(type.trim()), sink);
}

/** A file at its limit, with room for the form around it. */
const uploadBodyBytesMax = limits.uploadBytesMax + limits.requestBodyBytesMax;

async function receive(
  body: NonNullable<Request["body"]>,
  parser: BusboyInstance,
  sink: UploadSink,
): Promise<Upload> {
  const fields = new Map<string, string>();
  let part: { readonly stream: BusboyFileStream; readonly filename: string } | undefined;
  let stored: ReturnType<Blobs["putStream"]> | undefined;
  let fault: unknown;
  const source = Readable.fromWeb(body as ReadableStream<Uint8Array>); // One class, declared twice.
  try {
    await new Promise<void>((resolve, reject) => {
      parser.on("field", (name, value) => fields.set(name, value));
      parser.on("file", (name, stream, filename) => {
        // A broken form is the client's fault, whatever the store makes of it; that the store
        // stopped reading is the store's.
        stream.on("error", (error) => {
          if (error.name !== "AbortError") fault ??= error;
        });
        part = { stream, filename };
        if (name !== "file") reject(invalid(`there is an unknown file part "${name}"`));
        else (stored = sink.blobs.putStream(stream, limits.uploadBytesMax)).catch(reject);
      });
      for (const event of ["filesLimit", "fieldsLimit", "partsLimit"])
        parser.on(event, () => reject(invalid("it has too many parts")));
      parser.on("error", reject);
      parser.on("finish", () => resolve());
      source.on("error", reject);
      source.pipe(parser);
    });
    if (part === undefined || stored === undefined) throw invalid('there is no part "file"');
    return { ...(await stored), fields, filename: part.filename };
  } catch (error) {
    source.unpipe(parser);
    const cause = fault ?? error;
    part?.stream.destroy(new Error("The upload failed"));
    await stored?.then(({ digest }) => sink.drop(digest)).catch(() => {});
    throw wrapError(cause, "INVALID_ARGUMENT", "Cannot read the upload");
  }
}

function openParser(type: string): BusboyInstance {
  try {
    return new Busboy({
      headers: { "content-type": type },
      limits: {
        files: 1,
        fields: limits.uploadFieldCountMax,
        fieldSize: limits.uploadFieldBytesMax,
        // One more than the store takes, so that the store refuses and the file is never cut.
        fileSize: limits.uploadBytesMax + 1,
      },
    });
  } catch (error) {
    throw wrapError(error, "INVALID_ARGUMENT", "Cannot read the upload");
  }
}

function invalid(state: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot read the upload: ${state}`, { field: "file" });
}
