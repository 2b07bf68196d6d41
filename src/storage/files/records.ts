/** Between entities and rows of the catalog: lists and maps are JSON texts, `undefined` is NULL. */

type Column = string | number | null;

/** The row of an entity, which has strings, numbers, lists and maps only. */
export function toRecord<Row extends object>(row: Row): Row {
  const columns = Object.entries(row).map(([name, value]) => [name, toColumn(value)]);
  return Object.fromEntries(columns) as Row; // For the columns that queries name this holds.
}

function toColumn(value: unknown): Column {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  return JSON.stringify(value);
}

/** The entity of a row; `jsonColumns` names its lists and maps. */
export function fromRecord<Row>(record: object, jsonColumns: readonly string[]): Row {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    // The order of creation shows in the order of lists only.
    if (name === "sequence") continue;
    if (value === null) fields[name] = undefined;
    else fields[name] = jsonColumns.includes(name) ? JSON.parse(String(value)) : value;
  }
  return fields as Row; // Rows are written by `toRecord` alone, from this type.
}
