/** Fields of JSON objects, found by the names of `columns.ts`. */
import { roleNames, roleOf, shownNames } from "./columns.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is an object with fields, of which nothing is known. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `Array.isArray` would make the items `any`. */
export function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The fields of a role. A null yields to a value. */
export function candidates(fields: Fields, role: "text" | "label"): readonly string[] {
  const named = Object.keys(fields).filter((key) => roleOf(key) === role);
  const filled = named.filter((key) => fields[key] !== null);
  return filled.length === 0 ? named.slice(0, 1) : filled;
}

/** The one field of the text, or why there is none. */
export function textField(fields: Fields): { readonly name: string } | { readonly fault: string } {
  const names = candidates(fields, "text");
  if (names.length > 1) return { fault: severalFault("text", names) };
  const [name] = names;
  return name === undefined ? { fault: missingFault("text", Object.keys(fields)) } : { name };
}

export function missingFault(role: "text" | "label", keys: readonly string[]): string {
  const found = keys.length === 0 ? "no field" : shownNames(keys);
  const expected = `expected one of ${roleNames[role]}, or chat in "messages"`;
  return `${role} is missing: ${expected}; found ${found}`;
}

export function severalFault(role: string, names: readonly string[]): string {
  return `${names.map((name) => `"${name}"`).join(" and ")} could both be the ${role}`;
}
