/** How the routes of the contract become typed handlers: parsed parts in, a JSON value out. */
import type { z } from "@hono/zod-openapi";
import type { HonoRequest } from "hono";
import type { Answer, Parsed, Routes } from "../contract/contract.ts";
import type { Caller } from "../entities/caller.ts";
import { StrataError } from "../foundation/errors.ts";
import { reservedKeyIn } from "../foundation/reserved-key.ts";
import { absentNulls } from "./absent-nulls.ts";
import { readJson } from "./body.ts";
import type { Intake } from "../listener/intake.ts";

export interface Call<Route> extends Parsed<Route> {
  /** Who asks; undefined on a route that anyone may call. */
  readonly caller: Route extends { readonly security: unknown } ? undefined : Caller;
  readonly request: Request;
  readonly intake: Intake;
  /** It is aborted when the client has gone, or the route's time is over. */
  readonly signal: AbortSignal;
  /** Headers that the handler adds to its answer. */
  readonly answerHeaders: Record<string, string>;
}

type ReplyBody = string | Uint8Array | AsyncIterable<Uint8Array>;

/** An answer that is no JSON, none of success, or written piece by piece. */
export class Reply {
  readonly status: number;
  readonly type: string;
  readonly body: ReplyBody;

  constructor(status: number, type: string, body: ReplyBody) {
    this.status = status;
    this.type = type;
    this.body = body;
  }
}

export type Handler<Route> = (call: Call<Route>) => Promise<Answer<Route> | Reply>;

export type Handlers = { readonly [Name in keyof Routes]: Handler<Routes[Name]> };

/** The handler of one route group. */
export type HandlersOf<Group extends Partial<Routes>> = Pick<Handlers, keyof Group & keyof Routes>;

export type AnyHandler = (
  call: Omit<Call<unknown>, "caller"> & { readonly caller: Caller | undefined },
) => Promise<unknown>;

interface RequestSchemas {
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  readonly body?: { readonly content: { readonly "application/json"?: { schema: z.ZodType } } };
}

interface AnyParts {
  readonly params: never;
  readonly query: never;
  readonly body: never;
}

/** Reads what the route's schemas ask for; INVALID_ARGUMENT names the field of the first fault. */
export function parserOf(
  route: Routes[keyof Routes],
): (request: HonoRequest, intake: Intake) => Promise<AnyParts> {
  // Wider than what each route says of itself.
  const schemas = ("request" in route ? route.request : {}) as RequestSchemas;
  const { params, query } = schemas;
  const body = schemas.body?.content["application/json"]?.schema;
  const cleaned = body && absentNulls(body);
  return async (request, intake) =>
    ({
      params: params && check(params, request.param(), "the path"),
      query: query && check(query, nested(request.query()), "the query"),
      body: body && check(body, cleaned?.(await readJson(request.raw, intake)), "the body"),
    }) as AnyParts; // `Parsed` gives them the types that the schemas have just checked.
}

function check(schema: z.ZodType, value: unknown, part: string): unknown {
  const reserved = reservedKeyIn(value);
  if (reserved !== undefined) throw unreadable(reserved, part, "this name cannot be a key");
  const result = schema.safeParse(value, { error: wordsOf });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])];
  const state =
    unknown === undefined
      ? (issue?.message ?? "").replace(/^Invalid input: /, "")
      : "there is no such field";
  throw unreadable(path, part, state);
}

function unreadable(path: readonly PropertyKey[], part: string, state: string): StrataError {
  const field = fieldOf(path);
  const message = `Cannot read ${field ? `"${field}"` : part}: ${state}`;
  return new StrataError("INVALID_ARGUMENT", message, { ...(field !== "" && { field }) });
}

/** Words for a count outside its limits; undefined leaves the other faults to zod's own. */
function wordsOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "too_small" && issue.code !== "too_big") return undefined;
  const { input, origin } = issue;
  const limit =
    issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (Array.isArray(input)) return `expected ${limit} ${nounOf(issue.path)}, got ${input.length}`;
  if (typeof input === "string" && origin === "string")
    return `expected ${limit} characters, got ${input.length}`;
  return undefined;
}

/** `labels` for the field of this name, `items` for one that has no plural for its name. */
function nounOf(path: readonly PropertyKey[] | undefined): string {
  const name = String(path?.at(-1) ?? "");
  return /^[a-z]+s$/.test(name) ? name : "items";
}

/** `metadata[team]=post` as `{ metadata: { team: "post" } }`. */
function nested(query: Readonly<Record<string, string>>): Record<string, unknown> {
  const fields = new Map<string, unknown>();
  const groups = new Map<string, Map<string, string>>();
  for (const [name, value] of Object.entries(query)) {
    const [, outer, key = ""] = /^(\w+)\[(.*)\]$/s.exec(name) ?? [];
    if (outer === undefined) fields.set(name, value);
    else groups.set(outer, (groups.get(outer) ?? new Map<string, string>()).set(key, value));
  }
  for (const [name, entries] of groups) fields.set(name, Object.fromEntries(entries));
  return Object.fromEntries(fields);
}

/** `["input", 3]` as `input[3]`. */
function fieldOf(path: readonly PropertyKey[]): string {
  const field = path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("");
  return field.replace(/^\./, "").slice(0, 200);
}
