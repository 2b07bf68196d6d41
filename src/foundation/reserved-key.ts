/** The one name that cannot be a free key: objects take it for their prototype. */

const reserved = "__proto__";

/**
 * The path of the first key, in objects and arrays at any depth, that copying would lose without a
 * word; undefined when there is none. Values of JSON within its limit of depth are taken.
 */
export function reservedKeyIn(value: unknown): readonly PropertyKey[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.hasOwn(value, reserved)) return [reserved];
  const parts: Iterable<readonly [PropertyKey, unknown]> = Array.isArray(value)
    ? value.entries()
    : Object.entries(value);
  for (const [key, part] of parts) {
    const path = reservedKeyIn(part);
    if (path !== undefined) return [key, ...path];
  }
  return undefined;
}
