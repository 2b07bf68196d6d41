/**
 * A multipart upload, streamed: the file goes into the store as it arrives and is never whole in
 * memory. Parts may come in any order; a part that nobody asked for is refused by its name.
 */
import type { StoreBytes } from "../files/files.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Arrival } from "../listener/arrival.ts";
import type { StoredBytes } from "../storage/storage.ts";
import { type FormEvent, formEvents, invalidForm } from "./form.ts";

export interface Upload extends StoredBytes {
  readonly fields: ReadonlyMap<string, string>;
  readonly filename: string;
}

export interface UploadSink {
  readonly store: StoreBytes;
  readonly arrival: Arrival;
}

const fileName = "file";
const fieldNames: readonly string[] = ["purpose"];

/** A file at its limit, with room for the form around it. */
const uploadBodyBytesMax = limits.uploadBytesMax + limits.requestBodyBytesMax;

/**
 * Stores the part named `file`. UNSUPPORTED_MEDIA_TYPE when the body is no multipart form,
 * INVALID_ARGUMENT when it is a broken one, has no file, or a part that is unknown, TOO_LARGE past
 * `uploadBytesMax`, TOO_SLOW when it does not arrive.
 */
export async function receiveUpload(request: Request, sink: UploadSink): Promise<Upload> {
  if (Number(request.headers.get("content-length") ?? 0) > uploadBodyBytesMax)
    throw new StrataError(
      "TOO_LARGE",
      `Cannot read the upload: expected at most ${limits.uploadBytesMax} bytes`,
    );
  const { body } = request;
  if (body === null) throw invalidForm("the body is empty");
  const chunks = sink.arrival.chunks(body);
  const events = formEvents(request.headers.get("content-type"), chunks);
  const receipt = new Receipt(sink);
  try {
    for (let next = await events.next(); next.done !== true; next = await events.next())
      await receipt.take(next.value, events);
    return receipt.upload();
  } finally {
    await events.return();
  }
}

/** What has been received of one upload. */
class Receipt {
  readonly #sink: UploadSink;
  readonly #fields = new Map<string, string>();
  #file: Omit<Upload, "fields"> | undefined;

  constructor(sink: UploadSink) {
    this.#sink = sink;
  }

  /** Takes a field, or a file with the events of its bytes. */
  async take(event: FormEvent, events: AsyncGenerator<FormEvent>): Promise<void> {
    if (event.kind !== "field" && event.kind !== "file") return;
    const { name } = event;
    const isSecond = name === fileName ? this.#file !== undefined : this.#fields.has(name);
    if (isSecond) throw invalidForm(`there is a second part "${shown(name)}"`, shown(name));
    if (event.kind === "field" && fieldNames.includes(name)) this.#fields.set(name, event.value);
    else if (event.kind === "file" && name === fileName) {
      const stored = await this.#sink.store(bytesOf(events));
      this.#file = { ...stored, filename: event.filename };
    } else {
      const expected = [...fieldNames, fileName].join(" and ");
      const state = `there is an unknown part "${shown(name)}", expected ${expected}`;
      throw invalidForm(state, shown(name));
    }
  }

  upload(): Upload {
    if (this.#file === undefined) throw invalidForm(`there is no part "${fileName}"`);
    return { ...this.#file, fields: this.#fields };
  }
}

async function* bytesOf(events: AsyncGenerator<FormEvent>): AsyncGenerator<Uint8Array> {
  for (let next = await events.next(); next.done !== true; next = await events.next()) {
    if (next.value.kind !== "bytes") return;
    yield next.value.bytes;
  }
}

/** What was sent may be long. */
function shown(name: string): string {
  return name.slice(0, limits.nameCharactersMax);
}
