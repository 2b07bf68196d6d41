/**
 * The typed client. Its methods, parameters and answers come from the contract by type alone, so it
 * loads no schema. Whatever goes wrong is a `StrataError` with the code that the server meant.
 */
import type { Answer, Api, Sent } from "../contract/contract.ts";
import type { FileObject } from "../contract/files.ts";
import type { FineTuningJob, FineTuningJobEvent } from "../contract/fine-tuning.ts";
import type { Classifications, Embeddings, TokenClassifications } from "../contract/inference.ts";
import type { ListedModel, Model, ModelVersion } from "../contract/models.ts";
import { fromWire } from "../contract/wire-error.ts";
import { mayRepeat } from "./repeated-calls.ts";
import { type Clock, pause } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";

export interface ClientOptions {
  /** The server's origin, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** Or where it comes from once it is needed: asked before each request. */
  readonly apiKey: string | (() => Promise<string>);
  /** It is told the headers of each answer with success, which carry its timings. */
  readonly onHeaders?: (headers: Headers) => void;
}

/** What may follow a call of a route: its parts that are not `undefined`. */
export type CallOptions<Route> = {
  readonly [
    Part in keyof Sent<Route> as Sent<Route>[Part] extends undefined ? never : Part
  ]: Sent<Route>[Part];
} & { readonly signal?: AbortSignal };

/** Routes that answer JSON and read JSON or nothing. */
export type JsonOperation = {
  [Key in keyof Api]: [Answer<Api[Key]>] extends [never] ? never : Key;
}[keyof Api];

export interface WaitOptions {
  readonly clock: Clock;
  /** It is told each event once, oldest first. */
  readonly onEvent?: (event: FineTuningJobEvent) => void;
  /** The time between two looks; 500 by default. */
  readonly pollMs?: number;
  readonly signal?: AbortSignal;
}

export class Client {
  readonly #baseUrl: string;
  readonly #apiKey: () => Promise<string>;
  readonly #onHeaders: ((headers: Headers) => void) | undefined;

  constructor(options: ClientOptions) {
    this.#baseUrl = options.baseUrl.replace(/\/+$/, "");
    const { apiKey } = options;
    this.#onHeaders = options.onHeaders;
    this.#apiKey = typeof apiKey === "string" ? () => Promise.resolve(apiKey) : apiKey;
  }

  /** Calls any JSON route, named by method and path, for example `POST /v1/classify`. */
  async call<Key extends JsonOperation>(
    operation: Key,
    options: CallOptions<Api[Key]>,
  ): Promise<Answer<Api[Key]>> {
    const answer = await this.#send(operation, options, readJson);
    return answer as Answer<Api[Key]>; // The server is typed by it too.
  }

  /** Every model, bases first, page by page. */
  models(): AsyncGenerator<ListedModel> {
    return paged((cursor) => this.call("GET /v1/models", { query: cursor }), idOf);
  }

  model(id: string): Promise<Model> {
    return this.call("GET /v1/models/{id}", { params: { id } });
  }

  /** Creates an empty vPLM from labels; a training file makes one that answers at once. */
  createModel(body: Sent<Api["POST /v1/models"]>["body"]): Promise<Model> {
    return this.call("POST /v1/models", { body });
  }

  async deriveModels(
    id: string,
    body: Sent<Api["POST /v1/models/{id}/derive"]>["body"],
  ): Promise<readonly ListedModel[]> {
    return (await this.call("POST /v1/models/{id}/derive", { params: { id }, body })).data;
  }

  /** Every version of a model, by number. */
  async versions(id: string): Promise<readonly ModelVersion[]> {
    const versions: ModelVersion[] = [];
    const pages = paged(
      (cursor: { readonly after?: number }) =>
        this.call("GET /v1/models/{id}/versions", { params: { id }, query: cursor }),
      ({ version }) => version,
    );
    for await (const version of pages) versions.push(version);
    return versions;
  }

  /** Lets another version answer. */
  serveVersion(id: string, version: number): Promise<Model> {
    return this.call("POST /v1/models/{id}/serve", { params: { id }, body: { version } });
  }

  /** Deletes a version that is not served. */
  async deleteVersion(id: string, version: number): Promise<void> {
    await this.call("DELETE /v1/models/{id}/versions/{version}", { params: { id, version } });
  }

  async deleteModel(id: string): Promise<void> {
    await this.call("DELETE /v1/models/{id}", { params: { id } });
  }

  /** The content decides the format, and the name's ending where the content leaves it open. */
  async uploadFile(
    content: Blob | Uint8Array,
    filename: string,
    purpose = "fine-tune",
  ): Promise<FileObject> {
    const form = new FormData();
    form.append("purpose", purpose);
    // A Blob copies the bytes, whichever memory they lie in.
    const bytes = content as Blob | Uint8Array<ArrayBuffer>; // as the type of its parts demands
    form.append("file", bytes instanceof Blob ? bytes : new Blob([bytes]), filename);
    return (await this.#send("POST /v1/files", { form }, readJson)) as FileObject; // As in `call`.
  }

  /** Every file, newest first. */
  async files(): Promise<readonly FileObject[]> {
    const files: FileObject[] = [];
    const pages = paged((cursor) => this.call("GET /v1/files", { query: cursor }), idOf);
    for await (const file of pages) files.push(file);
    return files;
  }

  file(id: string): Promise<FileObject> {
    return this.call("GET /v1/files/{id}", { params: { id } });
  }

  fileContent(id: string): Promise<Uint8Array> {
    return this.#send("GET /v1/files/{id}/content", { params: { id } }, readBytes);
  }

  async deleteFile(id: string): Promise<void> {
    await this.call("DELETE /v1/files/{id}", { params: { id } });
  }

  createJob(body: Sent<Api["POST /v1/fine_tuning/jobs"]>["body"]): Promise<FineTuningJob> {
    return this.call("POST /v1/fine_tuning/jobs", { body });
  }

  job(id: string): Promise<FineTuningJob> {
    return this.call("GET /v1/fine_tuning/jobs/{id}", { params: { id } });
  }

  /** Every job, newest first, page by page. */
  jobs(): AsyncGenerator<FineTuningJob> {
    return paged(
      (cursor) => this.call("GET /v1/fine_tuning/jobs", { query: { ...cursor, limit: pageCount } }),
      idOf,
    );
  }

  /** Every event of a job, newest first, page by page. */
  jobEvents(id: string): AsyncGenerator<FineTuningJobEvent> {
    return paged(
      (cursor) =>
        this.call("GET /v1/fine_tuning/jobs/{id}/events", {
          params: { id },
          query: { ...cursor, limit: pageCount },
        }),
      idOf,
    );
  }

  /** Deletes a job that has finished, and its events. */
  async deleteJob(id: string): Promise<void> {
    await this.call("DELETE /v1/fine_tuning/jobs/{id}", { params: { id } });
  }

  cancelJob(id: string): Promise<FineTuningJob> {
    return this.call("POST /v1/fine_tuning/jobs/{id}/cancel", { params: { id } });
  }

  /** The job once it has finished, whatever its end. */
  async waitForJob(id: string, options: WaitOptions): Promise<FineTuningJob> {
    let seen: string | undefined;
    for (;;) {
      // The job first: the events that follow it then include those of its end.
      const job = await this.job(id);
      const fresh = options.onEvent === undefined ? [] : await this.#eventsSince(id, seen);
      seen = fresh[0]?.id ?? seen;
      for (const event of fresh.toReversed()) options.onEvent?.(event);
      if (job.finished_at !== null) return job;
      await pause(options.clock, options.pollMs ?? 500, options.signal);
      if (options.signal?.aborted === true) throw cancelled(options.signal.reason);
    }
  }

  embed(body: Sent<Api["POST /v1/embeddings"]>["body"], signal?: AbortSignal): Promise<Embeddings> {
    return this.call("POST /v1/embeddings", { body, ...(signal !== undefined && { signal }) });
  }

  classify(
    body: Sent<Api["POST /v1/classify"]>["body"],
    signal?: AbortSignal,
  ): Promise<Classifications> {
    return this.call("POST /v1/classify", { body, ...(signal !== undefined && { signal }) });
  }

  /** Entities in texts; their places count Unicode code points. */
  classifyTokens(
    body: Sent<Api["POST /v1/classify-tokens"]>["body"],
    signal?: AbortSignal,
  ): Promise<TokenClassifications> {
    return this.call("POST /v1/classify-tokens", { body, ...(signal !== undefined && { signal }) });
  }

  /** Newest first, down to the one that was seen. */
  async #eventsSince(id: string, seen: string | undefined): Promise<FineTuningJobEvent[]> {
    const events: FineTuningJobEvent[] = [];
    for await (const event of this.jobEvents(id)) {
      if (event.id === seen) break;
      events.push(event);
    }
    return events;
  }

  /** What `read` makes of the answer; a `StrataError` whatever goes wrong. */
  async #send<T>(
    operation: keyof Api,
    parts: Parts,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    // A controller of its own: `fetch` goes on listening to the signal that it was given, which
    // would add up on one that a caller shares over many calls.
    const controller = new AbortController();
    const { signal } = parts;
    const abort = (): void => controller.abort(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const response = await this.#fetch(operation, parts, controller.signal);
      return await read(response);
    } catch (error) {
      throw controller.signal.aborted ? cancelled(error) : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  async #fetch(operation: keyof Api, parts: Parts, signal: AbortSignal): Promise<Response> {
    const method = operation.slice(0, operation.indexOf(" "));
    const template = operation.slice(method.length + 1);
    const apiKey = await this.#apiKey();
    const ask = (): Promise<Response> =>
      fetch(this.#baseUrl + pathOf(template, parts), {
        method,
        signal,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(parts.body !== undefined && { "content-type": "application/json" }),
        },
        ...(parts.body !== undefined && { body: JSON.stringify(parts.body) }),
        ...(parts.form !== undefined && { body: parts.form }),
      });
    const askAgain = (error: unknown): Promise<Response> => {
      if (!mayRepeat(operation, error)) throw error;
      return ask();
    };
    const response = await ask()
      .catch(askAgain)
      .catch((error: unknown) => {
        const action = `Cannot reach the server at ${this.#baseUrl}`;
        throw new StrataError("UNAVAILABLE", `${action}: ${reasonOf(error)}`, { cause: error });
      });
    if (response.ok) {
      this.#onHeaders?.(response.headers);
      return response;
    }
    const retryAfter = response.headers.get("retry-after-ms");
    throw fromWire({
      status: response.status,
      body: await response.json().catch(() => undefined),
      ...(retryAfter !== null && { retryAfterMs: Number(retryAfter) }),
    });
  }
}

/** The most that a page of jobs or events holds. */
const pageCount = 100;

interface Page<Item> {
  readonly data: readonly Item[];
  readonly has_more: boolean;
}

/** The items of all pages; `read` is given the place after which the next one begins. */
async function* paged<Item, Place>(
  read: (cursor: { readonly after?: Place }) => Promise<Page<Item>>,
  placeOf: (item: Item) => Place,
): AsyncGenerator<Item> {
  let cursor: { readonly after?: Place } | undefined = {};
  while (cursor !== undefined) {
    const { data, has_more: hasMore } = await read(cursor);
    yield* data;
    const last: Item | undefined = data.at(-1);
    cursor = hasMore && last !== undefined ? { after: placeOf(last) } : undefined;
  }
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

type QueryValue = string | number | undefined;

interface Parts {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, QueryValue | Readonly<Record<string, QueryValue>>>>;
  readonly body?: unknown;
  readonly form?: FormData;
  readonly signal?: AbortSignal;
}

function pathOf(template: string, parts: Parts): string {
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(parts.params?.[name] ?? ""),
  );
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts.query ?? {}))
    if (typeof value === "object")
      for (const [key, entry] of Object.entries(value)) query.set(`${name}[${key}]`, String(entry));
    else if (value !== undefined) query.set(name, String(value));
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    throw unreadable(error);
  }
}

async function readBytes(response: Response): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(cause: unknown): StrataError {
  const message = `Cannot read the answer: ${reasonOf(cause)}`;
  return new StrataError("UNAVAILABLE", message, { cause });
}

function cancelled(cause: unknown): StrataError {
  return new StrataError("CANCELLED", "Cannot finish the call: the caller cancelled", { cause });
}

/** `fetch` hides what happened in the cause of a "fetch failed". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  // The Fetch standard has a list of ports that belong to other protocols.
  if (cause instanceof Error && cause.message === "bad port")
    return "fetch refuses to call this port; let the server listen on another";
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error)
    return cause.errors[0].message;
  return cause instanceof Error ? cause.message : error.message;
}
