/**
 * Downloads one file over HTTP: continued after a break, retried a bounded number of times, never
 * idle for long, never larger than allowed, and named only when its digest is right.
 */
import type { ReadableStream } from "node:stream/web";
import type { Digest } from "../foundation/digest.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { type Network, pause, throwIfCancelled } from "./network.ts";
import { PartFile } from "./part-file.ts";

export interface Download {
  readonly url: string;
  /** Sent to the host of `url`; `fetch` takes authorization off when it is sent elsewhere. */
  readonly headers: Readonly<Record<string, string>>;
  /** Path that the finished file gets. */
  readonly target: string;
  /** Name of the file in progress and messages. */
  readonly file: string;
  readonly digest: Digest | undefined;
  readonly bytesMax: number;
}

/** What the server said beside the bytes. */
export interface Downloaded {
  /** The address after redirects. */
  readonly url: string;
  readonly headers: Headers;
}

/**
 * NOT_FOUND: the server has no such file; FORBIDDEN: it wants another token; CORRUPT: other bytes
 * than the digest names; TOO_LARGE; CANCELLED; UNAVAILABLE: all else, after the retries.
 */
export async function download(request: Download, network: Network): Promise<Downloaded> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await tryDownload(request, network);
    if (outcome.kind === "done") return outcome;
    throwIfCancelled(network);
    if (!outcome.isTransient || attempt >= limits.downloadRetryCountMax) throw outcome.error;
    const { message } = outcome.error;
    network.telemetry.log.warn("Download broke, trying again", { file: request.file, message });
    await pause(network, Math.min(500 * 2 ** attempt, limits.downloadBackoffMsMax));
  }
}

type Outcome =
  | ({ readonly kind: "done" } & Downloaded)
  | { readonly kind: "failed"; readonly error: StrataError; readonly isTransient: boolean };

async function tryDownload(request: Download, network: Network): Promise<Outcome> {
  const idle = new IdleSignal(network);
  let part: PartFile | undefined;
  try {
    part = await PartFile.open(request.target);
    const response = await ask(request, { part, network, signal: idle.signal });
    if (!response.ok) {
      await response.body?.cancel();
      return await refused(request, response, part);
    }
    const wasContinued = await beginPart(request, response, part);
    await receive(request, { response, part, network, idle });
    const { url, headers } = response;
    const mismatch = await finish(part, request.digest);
    if (mismatch === undefined) return { kind: "done", url: url || request.url, headers };
    // The part of an earlier process may be what is wrong.
    return { kind: "failed", error: failure(request, mismatch), isTransient: wasContinued };
  } catch (error) {
    return { kind: "failed", error: failure(request, error), isTransient: isTransient(error) };
  } finally {
    idle.stop();
    await part?.close();
  }
}

async function finish(part: PartFile, digest: Digest | undefined): Promise<unknown> {
  try {
    await part.finish(digest);
    return undefined;
  } catch (error) {
    return error;
  }
}

interface Asking {
  readonly part: PartFile;
  readonly network: Network;
  readonly signal: AbortSignal;
}

async function ask(request: Download, { part, network, signal }: Asking): Promise<Response> {
  const headers: Record<string, string> = { "accept-encoding": "identity", ...request.headers };
  const tag = await part.tag();
  // Without a tag or a digest nothing would tell that the file has changed meanwhile.
  if (part.bytes > 0 && (tag !== undefined || request.digest !== undefined)) {
    headers["range"] = `bytes=${part.bytes}-`;
    if (tag !== undefined) headers["if-range"] = tag;
  }
  return await network.fetch(request.url, { headers, signal, redirect: "follow" });
}

async function refused(request: Download, response: Response, part: PartFile): Promise<Outcome> {
  const { status } = response;
  // The part is not a beginning of what the server has now.
  if (status === 416) await part.discard();
  const isTransient = status >= 500 || [408, 416, 429].includes(status);
  const code =
    status === 404 || status === 410
      ? "NOT_FOUND"
      : status === 401 || status === 403
        ? "FORBIDDEN"
        : "UNAVAILABLE";
  const state = `${hostOf(request.url)} answered ${status}`;
  const error = new StrataError(code, `Cannot download ${request.file}: ${state}`);
  return { kind: "failed", error, isTransient };
}

/** Prepares the part for the answer's bytes; true when they follow those of an earlier answer. */
async function beginPart(request: Download, response: Response, part: PartFile): Promise<boolean> {
  const tag = response.headers.get("etag");
  const strong = tag === null || tag.startsWith("W/") ? undefined : tag;
  const isRest =
    response.status === 206 &&
    response.headers.get("content-range")?.startsWith(`bytes ${part.bytes}-`) === true;
  if (response.status === 206 && !isRest) {
    await part.discard();
    throw new StrataError("UNAVAILABLE", "the server sent another range");
  }
  await part.begin(isRest ? "continue" : "anew", strong);
  const rest = lengthOf(response);
  if (rest !== undefined && part.bytes + rest > request.bytesMax)
    throw tooLarge(request, part.bytes + rest);
  return isRest;
}

interface Receiving {
  readonly response: Response;
  readonly part: PartFile;
  readonly network: Network;
  readonly idle: IdleSignal;
}

async function receive(request: Download, receiving: Receiving): Promise<void> {
  const { response, part, network, idle } = receiving;
  const rest = lengthOf(response);
  const totalBytes = rest === undefined ? undefined : part.bytes + rest;
  const body = response.body as ReadableStream<Uint8Array> | null; // as fetch is specified
  const reader = body?.getReader();
  try {
    for (;;) {
      // A body that has ended is silent about a later abort: ask the signal too.
      const chunk = await Promise.race([reader?.read(), idle.aborted]);
      const bytes = chunk?.value;
      if (bytes === undefined) break;
      idle.renew();
      if (part.bytes + bytes.length > request.bytesMax)
        throw tooLarge(request, part.bytes + bytes.length);
      await part.append(bytes);
      network.onProgress?.({ file: request.file, receivedBytes: part.bytes, totalBytes });
    }
  } finally {
    reader?.cancel().catch(() => {});
  }
  if (totalBytes !== undefined && part.bytes !== totalBytes)
    throw new StrataError("UNAVAILABLE", `it broke off at ${part.bytes} of ${totalBytes} bytes`);
}

/** Length of the body, when it says one and no encoding makes it another. */
function lengthOf(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  if (length === null || response.headers.has("content-encoding")) return undefined;
  return Number(length);
}

/** Aborts when `renew` has not been called for `limits.downloadIdleMsMax`, or with the network. */
class IdleSignal {
  /** Rejects when the signal aborts. */
  readonly aborted: Promise<never>;
  readonly #network: Network;
  readonly #controller = new AbortController();
  readonly #forward = () => this.#controller.abort(this.#network.signal?.reason);
  #cancel: () => void = () => {};

  constructor(network: Network) {
    this.#network = network;
    const { signal } = this.#controller;
    this.aborted = new Promise((_, reject) => {
      // The reason is ours or the caller's; `failure` takes any.
      signal.addEventListener("abort", () => reject(signal.reason as Error)); // as said above
    });
    this.aborted.catch(() => {});
    if (network.signal?.aborted === true) this.#forward();
    network.signal?.addEventListener("abort", this.#forward);
    this.renew();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  renew(): void {
    this.#cancel();
    const waitMs = limits.downloadIdleMsMax;
    this.#cancel = this.#network.clock.schedule(waitMs, () => {
      this.#controller.abort(new StrataError("UNAVAILABLE", `nothing arrived for ${waitMs} ms`));
    });
  }

  stop(): void {
    this.#cancel();
    this.#network.signal?.removeEventListener("abort", this.#forward);
  }
}

function tooLarge(request: Download, bytes: number): StrataError {
  return new StrataError("TOO_LARGE", `${bytes} bytes, at most ${request.bytesMax}`);
}

function failure(request: Download, error: unknown): StrataError {
  const code = error instanceof StrataError ? error.code : "UNAVAILABLE";
  const message = `Cannot download ${request.file} from ${hostOf(request.url)}: ${stateOf(error)}`;
  return new StrataError(code, message, { cause: error });
}

/** `fetch` says only "fetch failed"; its cause says why. */
function stateOf(error: unknown): string {
  const wrapped = wrapError(error, "UNAVAILABLE", "");
  if (wrapped === error) return wrapped.message;
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error && cause.message !== "") return cause.message;
  return error instanceof Error ? error.message : String(error);
}

/** A host that is not there stays away; a connection that broke may come back. */
function isTransient(error: unknown): boolean {
  if (error instanceof StrataError) return error.code === "UNAVAILABLE";
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET", "UND_ERR_BODY_TIMEOUT"].includes(code);
}

function hostOf(url: string): string {
  return new URL(url).host;
}
