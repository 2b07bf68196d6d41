/** Clients send null for what they leave out: an optional field that is null is absent. */
import { z } from "@hono/zod-openapi";

type Clean = (value: unknown) => unknown;

/**
 * A function that removes from a parsed body, in place, every null of a field that may be absent,
 * at any depth of objects. A null that stands for a field that must be there, or in an array,
 * remains and is refused.
 */
export function absentNulls(schema: z.ZodType): Clean {
  const object = objectIn(schema);
  if (object === undefined) return (value) => value;
  const fields = new Map<string, { readonly isOptional: boolean; readonly clean: Clean }>();
  for (const [name, field] of Object.entries(object.shape)) {
    const isOptional = field.safeParse(undefined).success;
    fields.set(name, { isOptional, clean: absentNulls(field) });
  }
  return (value) => {
    if (typeof value !== "object" || value === null) return value;
    for (const [name, inner] of Object.entries(value)) {
      const field = fields.get(name);
      if (inner !== null) field?.clean(inner);
      else if (field?.isOptional !== false) Reflect.deleteProperty(value, name);
    }
    return value;
  };
}

/** The object that a schema is, or makes optional. */
function objectIn(schema: z.ZodType): z.ZodObject<Record<string, z.ZodType>> | undefined {
  if (schema instanceof z.ZodObject) return schema;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return objectIn(schema.unwrap() as z.ZodType); // What it wraps is a schema.
  return undefined;
}
