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

/** Whether a row was refused because another one has its name. */
export function isTaken(error: unknown): boolean {
  return ["SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"].includes(sqliteCode(error));
}

/** Whether a row was refused because the one that it belongs to is not there. */
export function isOrphan(error: unknown): boolean {
  return sqliteCode(error) === "SQLITE_CONSTRAINT_FOREIGNKEY";
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
  const state = `no build of it loads here; ${sqliteAdvice(isNodeApi10)}`;
  throw new StrataError("UNSUPPORTED", `Cannot load SQLite: ${state}`, {
    cause: new AggregateError(causes),
  });
}

/** What brings a build of SQLite: later versions of Node install binaries, Node 20 compiles one. */
function sqliteAdvice(isNodeApi10: boolean): string {
  return isNodeApi10
    ? 'these packages were installed by another version of Node; run "npm ci" again'
    : "use Node 22.14 or later, or install a C++ compiler, Python and Node's headers " +
        '(npm_config_nodedir names their folder) and run "npm run build" again';
}
