/** JSON of strangers: text to values of a wanted shape. */
import type { z } from "zod";
import { StrataError } from "../foundation/errors.ts";

/** Text as JSON of this shape; INVALID_ARGUMENT with the first wrong field. */
export function parse<T>(schema: z.ZodType<T>, text: string, what: string): T {
  return parseValue(schema, parseJson(text, what), what);
}

/** INVALID_ARGUMENT when the text is no JSON. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StrataError("INVALID_ARGUMENT", `Cannot read ${what}: it is not JSON`, { cause });
  }
}

export function parseValue<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = [what, ...(issue?.path.map(String) ?? [])].join(" ");
  throw new StrataError("INVALID_ARGUMENT", `Cannot read ${field}: ${issue?.message}`);
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
