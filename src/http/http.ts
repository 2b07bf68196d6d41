/**
 * The HTTP interface: a `Request` in, a `Response` out. It authenticates, parses by the contract,
 * calls the components below and puts their errors into the envelope; it owns no state but whether
 * it is draining.
 */
import { Hono } from "hono";
import { routes } from "../contract/contract.ts";
import { openApiDocument } from "../contract/openapi.ts";
import { StrataError } from "../foundation/errors.ts";
import { keyCheck } from "./authentication.ts";
import { Exchange } from "./exchange.ts";
import { fileHandlers } from "./files.ts";
import { fineTuningHandlers } from "./fine-tuning.ts";
import { healthHandlers } from "./health.ts";
import { inferenceHandlers } from "./inference.ts";
import { modelHandlers } from "./models.ts";
import { parserOf, Reply } from "./operation.ts";
import type { AnyHandler, Handlers } from "./operation.ts";
import type { Services } from "./services.ts";

export interface Http {
  /** Answers every request; never rejects. */
  fetch(request: Request): Promise<Response>;
  /** The OpenAPI 3.1 document. */
  openapi(): object;
  /** From now on not ready, and every answer asks for its connection to be closed. */
  drain(): void;
}

const methods = ["GET", "POST", "DELETE"] as const;

export function createHttp(services: Services): Http {
  const isAuthentic = keyCheck(services.apiKey);
  const state = { isDraining: false };
  const exchangeOf = (request: Request): Exchange => new Exchange(request, services, state);
  const authenticate = (request: Request): void => {
    if (isAuthentic(request.headers.get("authorization"))) return;
    throw new StrataError("UNAUTHENTICATED", "Cannot authenticate: expected a valid API key");
  };

  const app = new Hono();
  for (const [name, handler] of Object.entries(allHandlers(services, state))) {
    const route = routes[name as keyof typeof routes]; // Handlers has exactly these names.
    const parse = parserOf(route);
    const isOpen = "security" in route;
    app.on(route.method.toUpperCase(), route.getRoutingPath(), ({ req }) =>
      exchangeOf(req.raw).run(route.path, async (answerHeaders) => {
        if (!isOpen) authenticate(req.raw);
        const call = { ...(await parse(req)), request: req.raw, answerHeaders };
        return (handler as AnyHandler)(call); // The call is parsed by the handler's own route.
      }),
    );
  }
  const openapi = (): object => openApiDocument(services.version);
  const document = { type: "application/json", body: JSON.stringify(openapi()) };
  for (const [path, page] of [...(services.pages ?? []), ["/openapi.json", document] as const])
    app.get(path, ({ req }) =>
      exchangeOf(req.raw).run(path, () => Promise.resolve(new Reply(200, page.type, page.body))),
    );
  app.notFound(({ req }) =>
    exchangeOf(req.raw).run("unknown", (answerHeaders) => {
      authenticate(req.raw);
      const allowed = methods.filter((method) => app.router.match(method, req.path)[0].length > 0);
      throw unknownRoute(req, allowed, answerHeaders);
    }),
  );
  return {
    fetch: async (request) => app.fetch(request),
    openapi,
    drain: () => {
      state.isDraining = true;
    },
  };
}

function allHandlers(services: Services, state: { readonly isDraining: boolean }): Handlers {
  return {
    ...healthHandlers(services, state),
    ...modelHandlers(services),
    ...fileHandlers(services),
    ...fineTuningHandlers(services),
    ...inferenceHandlers(services),
  };
}

function unknownRoute(
  request: { readonly method: string; readonly path: string },
  allowed: readonly string[],
  answerHeaders: Record<string, string>,
): StrataError {
  const action = `Cannot ${request.method} "${request.path}"`;
  if (allowed.length === 0)
    return new StrataError("NOT_FOUND", `${action}: there is no such route`);
  answerHeaders["allow"] = allowed.join(", ");
  return new StrataError("METHOD_NOT_ALLOWED", `${action}: expected ${allowed.join(" or ")}`);
}
