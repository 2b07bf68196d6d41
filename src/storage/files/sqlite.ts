/**
 * SQLite, by whichever build of better-sqlite3 this machine has. Version 13 carries binaries but
 * crashes below Node-API 10, so it is never touched there; version 12 is compiled when installed.
 */
import { createRequire } from "node:module";
import type SqliteModule from "better-sqlite3";
import { StrataError } from "../../foundation/errors.ts";

export type Sqlite = SqliteModule.Database;

/** How long a reader waits for the moment in which a writer moves its log into the file. */
const readerWaitMsMax = 2_000;

/**
 * Opens or makes a database file. A lock of another process fails at once with SQLITE_BUSY; one
 * that only reads makes and changes nothing, and waits a moment.
 */
export function openSqlite(
  path: string,
  { isReadOnly = false }: { readonly isReadOnly?: boolean } = {},
): Sqlite {
  const Database = load();
  return new Database(path, { readonly: isReadOnly, timeout: isReadOnly ? readerWaitMsMax : 0 });
}

/** SQLite's result code of an error, such as `SQLITE_BUSY`; empty when it has none. */
export function sqliteCode(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function load(): typeof SqliteModule {
  const require = createRequire(import.meta.url);
  const isNodeApi10 = Number(process.versions["napi"]) >= 10;
  const names = isNodeApi10 ? ["better-sqlite3-napi10", "better-sqlite3"] : ["better-sqlite3"];
  const causes: unknown[] = [];
  for (const name of names) {
    try {
      const Database = require(name) as typeof SqliteModule; // Both are better-sqlite3.
      // The binary is loaded by the first connection only.
      new Database(":memory:").close();
      return Database;
    } catch (error) {
      causes.push(error);
    }
  }
  const rebuild = `install a C++ compiler and run "npm rebuild better-sqlite3"`;
  const advice = `use Node 22.14 or later, or ${rebuild}`;
  throw new StrataError("UNSUPPORTED", `Cannot load SQLite: no build of it loads here; ${advice}`, {
    cause: new AggregateError(causes),
  });
}
