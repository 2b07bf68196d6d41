/**
 * Entities become rows of the catalog and come back: lists and maps are JSON texts, `undefined` is
 * NULL. Each row carries a check over its columns, so that a bit that has flipped is never taken
 * for a fact.
 */
import { halfDigestOf } from "../../foundation/digest.ts";
import { StrataError } from "../../foundation/errors.ts";

type Column = string | number | null;

/** The row of an entity, which has strings, numbers, lists and maps only, with its check. */
export function toRecord<Row extends object>(table: string, row: Row): Row & Checked {
  const columns = Object.entries(row).map(([name, value]) => [name, toColumn(value)] as const);
  const check = checkOf(table, columns);
  // For the columns that queries name this holds.
  return { ...(Object.fromEntries(columns) as Row), check }; // as written above
}

export interface Checked {
  readonly check: string;
}

function toColumn(value: unknown): Column {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  return JSON.stringify(value);
}

/** The table of a row, and which of its columns are JSON texts. */
export interface RecordForm {
  readonly table: string;
  readonly jsonColumns: readonly string[];
}

export const modelForm: RecordForm = { table: "models", jsonColumns: ["labels"] };
export const versionForm: RecordForm = {
  table: "versions",
  jsonColumns: ["labels", "adapter", "shapes", "metrics"],
};
export const jobForm: RecordForm = {
  table: "jobs",
  jsonColumns: ["hyperparameters", "metadata", "error"],
};

/** The entity of a row, but not whose it is; CORRUPT, which names the row, for a wrong check. */
export function fromRecord<Row>(record: object, { table, jsonColumns }: RecordForm): Row {
  requireSound(record, table);
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    if (unchecked.has(name) || name === "tenant") continue;
    if (value === null) fields[name] = undefined;
    else fields[name] = jsonColumns.includes(name) ? JSON.parse(String(value)) : value;
  }
  return fields as Row; // Rows are written by `toRecord` alone, from this type.
}

/** The order of creation shows in the order of lists only; the check is not part of itself. */
const unchecked: ReadonlySet<string> = new Set(["sequence", "check"]);

/** Whether the row has the check of its columns. */
export function isSound(record: object, table: string): boolean {
  const columns = Object.entries(record);
  const check = columns.find(([name]) => name === "check")?.[1] as unknown; // Any column's value.
  return check === checkOf(table, columns);
}

/** CORRUPT, naming table and row, when the row does not have the check of its columns. */
export function requireSound(record: object, table: string): void {
  if (isSound(record, table)) return;
  const state = "its fields do not have the check that was stored with them";
  throw new StrataError("CORRUPT", `Cannot read ${table} "${nameOf(record)}": ${state}`);
}

/**
 * A check over the table and the columns that are not NULL, by name: a column that a later schema
 * adds leaves the checks of rows without it as they are.
 */
export function checkOf(table: string, columns: readonly (readonly [string, unknown])[]): string {
  const present = columns.filter(([name, value]) => value !== null && !unchecked.has(name));
  const sorted = present.toSorted(([left], [right]) => (left < right ? -1 : 1));
  return halfDigestOf(JSON.stringify([table, sorted]));
}

/** How people call the row: by its id, or a version by its model and its number. */
function nameOf(record: object): string {
  const columns = new Map<string, unknown>(Object.entries(record));
  const named = columns.has("id") ? ["id"] : ["model", "number"];
  return named.map((name) => String(columns.get(name) as Column)).join("@"); // Any column's value.
}
