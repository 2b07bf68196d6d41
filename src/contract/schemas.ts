/** Pieces that several route groups share: the error answer, identifiers, paging, metadata. */
import { z } from "@hono/zod-openapi";
import { limits } from "../foundation/limits.ts";

const wireErrorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.enum(["invalid_request_error", "rate_limit_error", "server_error"]),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi("Error");

/** What every route may answer beside its success. */
export const errorAnswer = {
  description: "An error, in OpenAI's envelope",
  content: { "application/json": { schema: wireErrorSchema } },
} as const;

/** The responses of a route that answers JSON. */
export function answers<S extends z.ZodType>(schema: S, description: string) {
  return {
    200: { description, content: { "application/json": { schema } } },
    default: errorAnswer,
  } as const;
}

/** The request body of a route that reads JSON. */
export function jsonBody<S extends z.ZodType>(schema: S) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

export const modelIdSchema = z.string().min(1).max(limits.modelIdCharactersMax);

/** Ids of files and jobs: opaque, but never longer than this. */
export const idSchema = z.string().min(1).max(limits.nameCharactersMax);

export const unixSecondsSchema = z.number().int().min(0).openapi({ description: "Unix seconds" });

export const seedSchema = z
  .number()
  .int()
  .min(0)
  .max(2 ** 31 - 1);

/** Cursor paging; `after` is the last id of the page before. */
export function pageQuery(limitDefault: number, limitMax: number) {
  return z.object({
    limit: z.coerce
      .number<number>()
      .int()
      .min(1)
      .max(limitMax)
      .default(limitDefault)
      .openapi({ type: "integer", minimum: 1, maximum: limitMax, default: limitDefault }),
    after: modelIdSchema.optional(),
  });
}

export function listOf<S extends z.ZodType>(item: S) {
  return z.object({
    object: z.literal("list"),
    data: z.array(item),
    has_more: z.boolean(),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
  });
}

export const metadataSchema = z
  .record(
    z.string().min(1).max(limits.metadataKeyCharactersMax),
    z.string().max(limits.metadataValueCharactersMax),
  )
  .refine(
    (entries) => Object.keys(entries).length <= limits.metadataEntryCountMax,
    `expected at most ${limits.metadataEntryCountMax} entries`,
  );
