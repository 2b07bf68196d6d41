/**
 * A multipart form as a sequence of what arrives. Multipasta finds the parts: it is called with
 * bytes and calls back before it returns, so that it cannot keep anyone waiting. The disposition
 * of a part is read here, since file names are UTF-8.
 */
import { type MultipartError, type PartInfo, make } from "multipasta";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

export type FormEvent =
  | { readonly kind: "field"; readonly name: string; readonly value: string }
  | { readonly kind: "file"; readonly name: string; readonly filename: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "fileEnd" };

const formType = /^\s*multipart\/form-data\b/i;

/**
 * The events of the form that `chunks` hold; a part named `file`, or with a file name, is a file.
 * UNSUPPORTED_MEDIA_TYPE when the body is no form, INVALID_ARGUMENT when it is a broken one.
 */
export async function* formEvents(
  contentType: string | null,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<FormEvent, void, undefined> {
  const type = contentType ?? "none";
  if (!formType.test(type))
    throw new StrataError(
      "UNSUPPORTED_MEDIA_TYPE",
      `Cannot read the upload: expected content type multipart/form-data, got "${type}"`,
    );
  const form = new FormParser(type.trim());
  for await (const chunk of chunks) yield* form.write(chunk);
  yield* form.end();
}

class FormParser {
  readonly #parser: { write(chunk: Uint8Array): void; end(): void };
  #events: FormEvent[] = [];
  #fault: StrataError | undefined;
  #isDone = false;
  /** The last bytes as far as they are hyphens, at most two. */
  #held = Buffer.alloc(0);

  constructor(contentType: string) {
    this.#parser = make({
      headers: { "content-type": contentType },
      maxFieldSize: limits.uploadFieldBytesMax,
      isFile: (part) => isFile(part),
      onField: (part, value) => this.#onField(part, value),
      onFile: (part) => this.#onFile(part),
      onError: (error) => this.#blame(stateOf(error)),
      onDone: () => (this.#isDone = true),
    });
  }

  write(chunk: Uint8Array): readonly FormEvent[] {
    // Multipasta 0.2.8 misses the end of a form whose two closing hyphens come apart.
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const heldCount = bytes.at(-1) !== hyphen ? 0 : bytes.at(-2) !== hyphen ? 1 : 2;
    this.#held = Buffer.from(bytes.subarray(bytes.length - heldCount));
    return this.#taken(() => this.#parser.write(bytes.subarray(0, bytes.length - heldCount)));
  }

  end(): readonly FormEvent[] {
    return this.#taken(() => {
      this.#parser.write(this.#held);
      this.#parser.end();
      if (!this.#isDone) this.#blame("the form ends before its last boundary");
    });
  }

  #taken(parse: () => void): readonly FormEvent[] {
    try {
      if (!this.#isDone) parse();
    } catch (error) {
      throw wrapError(error, "INVALID_ARGUMENT", "Cannot read the upload");
    }
    if (this.#fault !== undefined) throw this.#fault;
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #onField(part: PartInfo, value: Uint8Array): void {
    const { name } = dispositionOf(part);
    this.#events.push({ kind: "field", name, value: Buffer.from(value).toString("utf8") });
  }

  #onFile(part: PartInfo): (chunk: Uint8Array | null) => void {
    const { name, filename = "" } = dispositionOf(part);
    this.#events.push({ kind: "file", name, filename });
    return (bytes) =>
      this.#events.push(bytes === null ? { kind: "fileEnd" } : { kind: "bytes", bytes });
  }

  #blame(state: string): void {
    this.#fault ??= invalidForm(state);
  }
}

const hyphen = 0x2d;

export function invalidForm(state: string, field = "file"): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot read the upload: ${state}`, { field });
}

function isFile(part: PartInfo): boolean {
  const { name, filename } = dispositionOf(part);
  return name === "file" || filename !== undefined;
}

const parameter = /;\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\[^])*)"|([^\s;"]+))/g;

/** Name and file name of a part (RFC 7578, section 4.2); a folder before the name is cut. */
function dispositionOf({ headers }: PartInfo): { readonly name: string; filename?: string } {
  const header = headers["content-disposition"];
  if (typeof header !== "string" || !/^\s*form-data\s*(?:;|$)/i.test(header))
    throw invalidForm("a part has no form-data disposition");
  const parameters = new Map<string, string>();
  for (const [, key = "", quoted, bare = ""] of header.matchAll(parameter))
    parameters.set(key.toLowerCase(), quoted?.replaceAll('\\"', '"') ?? bare);
  const name = parameters.get("name");
  if (name === undefined) throw invalidForm("a part has no name");
  const filename = filenameOf(parameters);
  return { name, ...(filename !== undefined && { filename: filename.replace(/^.*[/\\]/s, "") }) };
}

/** The extended form (RFC 8187) comes before the plain one. */
function filenameOf(parameters: ReadonlyMap<string, string>): string | undefined {
  const encoded = /^utf-8''(.*)$/is.exec(parameters.get("filename*") ?? "")?.[1];
  return encoded === undefined ? parameters.get("filename") : decodeURIComponent(encoded);
}

function stateOf(error: MultipartError): string {
  if (error._tag === "InvalidBoundary") return "its content type names no boundary";
  if (error._tag === "BadHeaders") return "a part has headers that cannot be read";
  if (error._tag === "InvalidDisposition") return "a part has no name";
  if (error._tag === "EndNotReached") return "the form ends before its last boundary";
  return `expected fields of at most ${limits.uploadFieldBytesMax} bytes`;
}
