/** JSON files that people write: read by a schema, and the first fault named with its place. */
import { z } from "zod";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { reservedKeyIn } from "../foundation/reserved-key.ts";

/** Names of models, profiles and node types: they go into tables, pages and messages. */
export const nameSchema = z
  .string()
  .min(1)
  .max(limits.modelIdCharactersMax)
  .regex(/^[^\u0000-\u001f\u007f]+$/, "expected no control characters");

/** INVALID_ARGUMENT names the file, `what`, and the field. */
export function parseJson<T>(schema: z.ZodType<T>, text: string, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StrataError("INVALID_ARGUMENT", `Cannot read "${what}": it is not JSON`, { cause });
  }
  const reserved = reservedKeyIn(value);
  if (reserved !== undefined) throw faultAt({ what, path: reserved }, "this name cannot be a key");
  return checkValue(schema, value, { what });
}

/** The place of a value: in the file `what`, at `path`. */
export interface Place {
  readonly what: string;
  readonly path?: readonly PropertyKey[];
}

export function checkValue<T>(schema: z.ZodType<T>, value: unknown, { what, path }: Place): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const state = (issue?.message ?? "").replace(/^Invalid input: /, "");
  throw faultAt(
    { what, path: [...(path ?? []), ...(issue?.path ?? [])] },
    state.replace(/^[A-Z]/, (letter) => letter.toLowerCase()),
  );
}

/** INVALID_ARGUMENT, with the path as `models[3].rate`. */
export function faultAt({ what, path = [] }: Place, state: string): StrataError {
  const field = path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
  const message = `Cannot read "${what}": ${field && `${field}: `}${state}`;
  return new StrataError("INVALID_ARGUMENT", message, field === "" ? {} : { field });
}
