/**
 * Looks into the catalog of a store without taking its lock, for commands that run beside a server.
 * Nothing is written, and what is seen may change right after.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { wrapError } from "../../foundation/errors.ts";
import { openSqlite, type Sqlite } from "./sqlite.ts";

export interface CatalogPeek {
  hasModel(id: string): boolean;
  /** The id of a vPLM that stands on the base; undefined when there is none. */
  modelOn(base: string): string | undefined;
  /** The digest under which the base was served; undefined when it never was. */
  digestOf(base: string): string | undefined;
}

/** Undefined when there is no store in the folder; UNAVAILABLE when its catalog cannot be read. */
export function peekCatalog<T>(folder: string, look: (peek: CatalogPeek) => T): T | undefined {
  const path = join(folder, "catalog.sqlite");
  if (!existsSync(path)) return undefined;
  let database: Sqlite | undefined;
  try {
    database = openSqlite(path, { isReadOnly: true });
    return look(peekInto(database));
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", `Cannot read the catalog in "${folder}"`);
  } finally {
    database?.close();
  }
}

function peekInto(database: Sqlite): CatalogPeek {
  const first = (query: string, id: string): string | undefined => {
    const row = database.prepare(query).get(id) as { value: string } | undefined; // its one column
    return row?.value;
  };
  return {
    hasModel: (id) =>
      first(`SELECT "id" AS "value" FROM "models" WHERE "id" = ?`, id) !== undefined,
    modelOn: (base) => first(`SELECT "id" AS "value" FROM "models" WHERE "base" = ? LIMIT 1`, base),
    digestOf: (base) => first(`SELECT "digest" AS "value" FROM "bases" WHERE "id" = ?`, base),
  };
}
