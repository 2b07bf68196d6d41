/**
 * The contract: every route of the HTTP interface with its schemas. The server is typed by it and
 * checks by it, the client is typed by it, and `openapi.ts` writes it down.
 */
import type { z } from "@hono/zod-openapi";
import { fileRoutes } from "./files.ts";
import { fineTuningRoutes } from "./fine-tuning.ts";
import { healthRoutes } from "./health.ts";
import { inferenceRoutes } from "./inference.ts";
import { modelRoutes } from "./models.ts";

/** All routes, by the name of the operation. */
export const routes = {
  ...healthRoutes,
  ...modelRoutes,
  ...fileRoutes,
  ...fineTuningRoutes,
  ...inferenceRoutes,
} as const;

export type Routes = typeof routes;

/**
 * Routes by method and path, such as `POST /v1/classify`: what a client can name without schemas.
 */
export type Api = {
  [
    Name in keyof Routes as `${Uppercase<Routes[Name]["method"]>} ${Routes[Name]["path"]}`
  ]: Routes[Name];
};

type JsonContent<S extends z.ZodType> = { content: { "application/json": { schema: S } } };

type BodySchema<Route> = Route extends { request: { body: JsonContent<infer S> } } ? S : never;
type PartSchema<Route, Part extends string> = Route extends {
  request: Record<Part, infer S extends z.ZodType>;
}
  ? S
  : never;

type Input<S> = [S] extends [never] ? undefined : S extends z.ZodType ? z.input<S> : never;
type Output<S> = [S] extends [never] ? undefined : S extends z.ZodType ? z.output<S> : never;

/** What a client sends. */
export interface Sent<Route> {
  readonly params: Input<PartSchema<Route, "params">>;
  readonly query: Input<PartSchema<Route, "query">>;
  readonly body: Input<BodySchema<Route>>;
}

/** What a server has parsed; `undefined` where the route has none. */
export interface Parsed<Route> {
  readonly params: Output<PartSchema<Route, "params">>;
  readonly query: Output<PartSchema<Route, "query">>;
  readonly body: Output<BodySchema<Route>>;
}

/** The JSON that a route answers with; `never` for routes that answer text or bytes. */
export type Answer<Route> = Route extends { responses: { 200: JsonContent<infer S> } }
  ? z.output<S>
  : never;
