/** One request and its answer: id, time, metrics, and the way every error takes to the envelope. */
import { toWire } from "../contract/wire-error.ts";
import { StrataError } from "../foundation/errors.ts";
import { Reply } from "./operation.ts";
import type { Services } from "./services.ts";

/** The time to come back when an overloaded component does not say one. */
const retryAfterMsDefault = 1000;

/** What a browser may do with an answer, unless its route says otherwise: nothing. */
const policyHeaders = {
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
} as const;

export class Exchange {
  readonly #request: Request;
  readonly #services: Services;
  readonly #state: { readonly isDraining: boolean };
  readonly #requestId: string;
  readonly #startMs: number;

  constructor(request: Request, services: Services, state: { readonly isDraining: boolean }) {
    this.#request = request;
    this.#services = services;
    this.#state = state;
    this.#requestId = services.ids.next("req_");
    this.#startMs = services.clock.monotonic();
  }

  /** Answers with what `work` gives, a JSON value or a `Reply`; never rejects. */
  async run(
    route: string,
    work: (answerHeaders: Record<string, string>) => Promise<unknown>,
  ): Promise<Response> {
    const headers: Record<string, string> = { ...policyHeaders };
    let reply: Reply;
    try {
      this.#services.checkHost?.(this.#request.headers.get("host"));
      const answer = await work(headers);
      reply = answer instanceof Reply ? answer : jsonReply(200, answer);
    } catch (error) {
      reply = this.#errorReply(error, headers);
    }
    return this.#respond(route, reply, headers);
  }

  #respond(route: string, reply: Reply, headers: Record<string, string>): Response {
    const elapsedMs = this.#services.clock.monotonic() - this.#startMs;
    const { metrics, log } = this.#services.telemetry;
    metrics.count("strata_http_requests_total", { route, status: String(reply.status) });
    metrics.observe("strata_http_request_seconds", elapsedMs / 1000, { route });
    log.debug("Answered", { route, status: reply.status, requestId: this.#requestId, elapsedMs });
    headers["content-type"] = reply.type;
    headers["x-request-id"] = this.#requestId;
    headers["openai-processing-ms"] = String(Math.ceil(elapsedMs));
    if (this.#state.isDraining) headers["connection"] = "close";
    const { status, body } = reply;
    if (typeof body === "string" || body instanceof Uint8Array)
      return new Response(status === 204 ? null : body, { status, headers });
    return new Response(ReadableStream.from(this.#logged(route, body)), { status, headers });
  }

  /** The pieces; that they cannot go on can only be told by ending the connection. */
  #logged(route: string, pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    const iterator = pieces[Symbol.asyncIterator]();
    const requestId = this.#requestId;
    const { log } = this.#services.telemetry;
    // No generator: an answer that is cancelled before it was begun must end its pieces too.
    const logged: AsyncIterableIterator<Uint8Array> = {
      async next() {
        try {
          return await iterator.next();
        } catch (error) {
          log.error("Answer broke off", { route, requestId, error });
          throw error;
        }
      },
      async return() {
        await iterator.return?.();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]: () => logged,
    };
    return logged;
  }

  #errorReply(thrown: unknown, headers: Record<string, string>): Reply {
    const error = thrown instanceof StrataError ? thrown : this.#unexpected(thrown);
    const { status, body } = toWire(error);
    if (error.code === "UNAUTHENTICATED") headers["www-authenticate"] = "Bearer";
    if (error.code === "OVERLOADED") {
      const retryAfterMs = Math.max(1, Math.ceil(error.retryAfterMs ?? retryAfterMsDefault));
      headers["retry-after-ms"] = String(retryAfterMs);
      headers["retry-after"] = String(Math.ceil(retryAfterMs / 1000));
    }
    return jsonReply(status, body);
  }

  /** A bug of ours: the log gets everything, the caller the number to ask for. */
  #unexpected(thrown: unknown): StrataError {
    this.#services.telemetry.log.error("Request failed by a bug", {
      requestId: this.#requestId,
      method: this.#request.method,
      url: this.#request.url,
      error: thrown instanceof Error ? thrown.stack : String(thrown),
    });
    const message = `Cannot answer: a bug in Strata, logged under "${this.#requestId}"`;
    return new StrataError("INTERNAL", message, { cause: thrown });
  }
}

function jsonReply(status: number, value: unknown): Reply {
  return new Reply(status, "application/json", JSON.stringify(value));
}
