/**
 * The HTTP interface: a `Request` in, a `Response` out. It authenticates, parses by the contract,
 * calls the components below and puts their errors into the envelope; it owns no state but whether
 * it is draining.
 */
import { Hono } from "hono";
import { cors } from "hono/cors";
import { routes } from "../contract/contract.ts";
import { openApiDocument } from "../contract/openapi.ts";
import type { Caller } from "../entities/caller.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Origin } from "../listener/arrival.ts";
import type { Handler } from "../listener/listener.ts";
import { withinDeadline } from "./deadline.ts";
import { Exchange } from "./exchange.ts";
import { fileHandlers } from "./routes/files.ts";
import { fineTuningHandlers } from "./routes/fine-tuning.ts";
import { healthHandlers } from "./routes/health.ts";
import { inferenceHandlers } from "./routes/inference.ts";
import { BodyBudget, Intake, ownOrigin } from "../listener/intake.ts";
import { modelHandlers } from "./routes/models.ts";
import { parserOf, Reply } from "./operation.ts";
import type { AnyHandler, Handlers } from "./operation.ts";
import type { StaticDocument, Services } from "./services.ts";

export interface Http extends Handler {
  /** The OpenAPI 3.1 document. */
  openapi(): object;
}

const methods = ["GET", "POST", "DELETE"] as const;

/** How long a route may work after its request has been read; the others `requestWaitMsMax`. */
const workMsMax: Partial<Record<keyof typeof routes, number>> = {
  createModel: limits.modelCreationMsMax,
  deriveModels: limits.modelCreationMsMax,
  // It reads its request itself.
  createFile: limits.requestReceiveMsMax + limits.modelCreationMsMax,
};

/** Headers that scripts of other origins may read. */
const exposedHeaders = ["x-request-id", "retry-after", "retry-after-ms", "openai-processing-ms"];

export function createHttp(services: Services): Http {
  const state = { isDraining: false };
  const app = new Hono<{ Bindings: Origin }>();
  const { corsOrigins = [] } = services;
  if (corsOrigins.length > 0)
    app.use(cors({ origin: [...corsOrigins], exposeHeaders: exposedHeaders, maxAge: 600 }));
  const openapi = (): object => openApiDocument(services.version);
  const parts = { app, services, state };
  addRoutes(parts);
  addDocuments(parts, openapi);
  return {
    fetch: async (request, origin = ownOrigin) => {
      if (request.method !== "HEAD") return app.fetch(request, origin);
      // Hono would drop the body unread, and what it reads from would stay open.
      const get = new Request(request, { method: "GET" });
      const { status, headers, body } = await app.fetch(get, origin);
      await body?.cancel();
      return new Response(null, { status, headers });
    },
    openapi,
    drain: () => {
      state.isDraining = true;
    },
  };
}

interface Parts {
  readonly app: Hono<{ Bindings: Origin }>;
  readonly services: Services;
  readonly state: { readonly isDraining: boolean };
}

/** The routes of the contract, and what is told of all others. */
function addRoutes({ app, services, state }: Parts): void {
  const { clock } = services;
  const budget = new BodyBudget();
  const authenticate = async (request: Request): Promise<Caller> => {
    const header = request.headers.get("authorization");
    const caller = await services.authenticator.authenticate(header);
    if (caller !== undefined) return caller;
    throw new StrataError("UNAUTHENTICATED", "Cannot authenticate: expected a valid API key");
  };
  for (const [key, handler] of Object.entries(allHandlers(services, state))) {
    const name = key as keyof typeof routes; // Handlers has exactly these names.
    const route = routes[name];
    const work = handler as AnyHandler; // It gets calls that its own route's parser has made.
    const parse = parserOf(route);
    const isOpen = "security" in route;
    const waitMsMax = workMsMax[name] ?? limits.requestWaitMsMax;
    app.on(route.method.toUpperCase(), route.getRoutingPath(), ({ req, env }) =>
      new Exchange(req.raw, services, state).run(route.path, async (answerHeaders) => {
        const { raw: request } = req;
        const caller = isOpen ? undefined : await authenticate(request);
        const intake = new Intake(budget, clock, env);
        try {
          const parts = await parse(req, intake);
          return await withinDeadline({ clock, client: request.signal, waitMsMax }, (signal) =>
            work({ ...parts, caller, request, intake, signal, answerHeaders }),
          );
        } finally {
          intake.release();
        }
      }),
    );
  }
  app.notFound(({ req }) =>
    new Exchange(req.raw, services, state).run("unknown", async (answerHeaders) => {
      const allowed = methods.filter((method) => app.router.match(method, req.path)[0].length > 0);
      if (allowed.length > 0) answerHeaders["allow"] = [...allowed, "OPTIONS"].join(", ");
      // What may be asked is no secret: the OpenAPI document is open too.
      if (req.method === "OPTIONS" && allowed.length > 0) return new Reply(204, "text/plain", "");
      await authenticate(req.raw);
      throw unknownRoute(req, allowed);
    }),
  );
}

function addDocuments({ app, services, state }: Parts, openapi: () => object): void {
  // A server starts sooner when it describes itself only once it is asked to.
  let description: string | undefined;
  const described = {
    type: "application/json",
    get body() {
      return (description ??= JSON.stringify(openapi()));
    },
  };
  const documents: ReadonlyMap<string, StaticDocument> = new Map([
    ...(services.documents ?? []),
    ["/openapi.json", described],
  ]);
  for (const [path, document] of documents)
    app.get(path, ({ req }) =>
      new Exchange(req.raw, services, state).run(path, async (answerHeaders) => {
        const { type, body, policy } = document;
        answerHeaders["referrer-policy"] = "no-referrer";
        if (policy !== undefined) answerHeaders["content-security-policy"] = policy;
        return new Reply(200, type, body);
      }),
    );
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
): StrataError {
  const action = `Cannot ${request.method} "${request.path}"`;
  if (allowed.length === 0)
    return new StrataError("NOT_FOUND", `${action}: there is no such route`);
  return new StrataError("METHOD_NOT_ALLOWED", `${action}: expected ${allowed.join(" or ")}`);
}
