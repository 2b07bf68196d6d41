/**
 * The catalog's file: how it is opened, and what is asked of it before it is believed. It is looked
 * at without being touched first, so that a refusal leaves everything as it was found.
 */
import { existsSync, rmSync, statSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join } from "node:path";
import { type Driver, Kysely, SqliteDialect, SqliteDriver } from "kysely";
import { StrataError } from "../../foundation/errors.ts";
import { syncFolder } from "../../foundation/replace-file.ts";
import type { Log } from "../../foundation/telemetry.ts";
import { type CatalogState, CommitMark, readMark } from "./commit-mark.ts";
import { type CatalogTables, countingSchema, currentSchema, migrate } from "./schema.ts";
import { openSqlite, type Sqlite, sqliteCode } from "./sqlite.ts";

export interface OpenCatalog {
  /** The connection that writes; a transaction has it to itself. */
  readonly database: Kysely<CatalogTables>;
  /** A second connection, which sees what is committed and waits for no transaction. */
  readonly reads: Kysely<CatalogTables>;
  readonly mark: CommitMark;
}

export interface CatalogOptions {
  /** Whether there are blobs, which a catalog must have named. */
  readonly hasBlobs: boolean;
  readonly log: Log;
}

const markName = "catalog.mark";

/**
 * Opens the catalog of the folder and makes it if there is none and nothing that needs one. CORRUPT
 * when it is damaged, missing, or has lost acknowledged changes; UNSUPPORTED when a later Strata
 * has written it.
 */
export async function openCatalog(folder: string, options: CatalogOptions): Promise<OpenCatalog> {
  const path = join(folder, "catalog.sqlite");
  const markPath = join(folder, markName);
  const found = inspect(path);
  const remembered = readMark(markPath);
  const fault = catalogFault(found, { mark: remembered, hasBlobs: options.hasBlobs });
  if (fault !== undefined)
    throw new StrataError("CORRUPT", `Cannot open the catalog "${path}": ${fault}`);
  warn(found, remembered, options.log);
  const sqlite = openSqlite(path);
  try {
    sqlite.pragma("journal_mode = WAL");
    // A commit is on the disk before it is answered.
    sqlite.pragma("synchronous = FULL");
    sqlite.pragma("foreign_keys = ON");
    const schema = found?.schema ?? 0;
    if (schema > 0 && schema < currentSchema) await keepCopy(sqlite, folder, schema);
    const database = new Kysely<CatalogTables>({ dialect: new CatalogDialect(sqlite) });
    await migrate(database, schema);
    // The tables stand in the file itself from now on, whatever happens to its log.
    if (schema < currentSchema) sqlite.pragma("wal_checkpoint(TRUNCATE)");
    const state = await database.selectFrom("state").selectAll().executeTakeFirstOrThrow();
    // A mark without its catalog would tell of a loss.
    await syncFolder(folder);
    const mark = new CommitMark(markPath, state);
    const reading = new SqliteDialect({ database: openSqlite(path, { isReadOnly: true }) });
    return { database, reads: new Kysely({ dialect: reading }), mark };
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

interface Inspection {
  /** 0 when nothing was ever written. */
  readonly schema: number;
  /** Undefined before `countingSchema`. */
  readonly state: CatalogState | undefined;
  /** Whether a server has ever entered a base model. */
  readonly hasBases: boolean;
}

/** What the file holds; undefined without one. CORRUPT when SQLite finds it damaged. */
function inspect(path: string): Inspection | undefined {
  if (!existsSync(path)) return undefined;
  // An empty file is what SQLite makes before the first write.
  if (statSync(path).size === 0 && !existsSync(`${path}-wal`)) return undefined;
  let sqlite: Sqlite | undefined;
  try {
    sqlite = openSqlite(path, { isReadOnly: true });
    return lookInto(sqlite, path);
  } catch (error) {
    const isDamage = /^SQLITE_(?:CORRUPT|NOTADB)/.test(sqliteCode(error));
    throw isDamage && error instanceof Error ? damaged(path, error.message) : error;
  } finally {
    sqlite?.close();
  }
}

function lookInto(sqlite: Sqlite, path: string): Inspection {
  const schema = Number(sqlite.pragma("user_version", { simple: true }));
  if (schema > currentSchema) {
    const state = `it has schema ${schema}, this program knows ${currentSchema}`;
    throw new StrataError("UNSUPPORTED", `Cannot open catalog: ${state}; use a later Strata`);
  }
  // Indexes are compared too: by a damaged one, a row that is there would not be found.
  const verdict = String(sqlite.pragma("integrity_check(1)", { simple: true }));
  if (verdict !== "ok") throw damaged(path, verdict);
  const hasBases = schema > 0 && sqlite.prepare(`SELECT 1 FROM "bases"`).get() !== undefined;
  if (schema < countingSchema) return { schema, state: undefined, hasBases };
  const state = sqlite.prepare(`SELECT "id", "changeCount" FROM "state"`).get();
  return { schema, state: state as CatalogState | undefined, hasBases }; // Its two columns.
}

function damaged(path: string, state: string): StrataError {
  const advice = `put a copy in its place, or make one of what is left by "sqlite3 FILE .recover"`;
  const message = `Cannot open the catalog "${path}": it is damaged (${state}); ${advice}`;
  return new StrataError("CORRUPT", message);
}

interface Surroundings {
  readonly mark: ReturnType<typeof readMark>;
  readonly hasBlobs: boolean;
}

/** Why the catalog must not be believed; undefined when it may be. */
function catalogFault(
  found: Inspection | undefined,
  { mark, hasBlobs }: Surroundings,
): string | undefined {
  const accept = `or accept the loss by deleting "${markName}" beside it`;
  // Before changes were counted, a catalog without a base had never served.
  const isNew = found === undefined || (found.state === undefined && !found.hasBases);
  if (isNew && hasBlobs)
    return (
      `it ${found === undefined ? "is missing" : "is empty"}, but there are blobs beside it; ` +
      `put it back, or move the folders "blobs" and "quarantine" away`
    );
  if (mark === "absent") return undefined;
  if (found === undefined) return `it is missing; put it back, ${accept}`;
  if (mark === "damaged") return undefined;
  if (found.state?.id !== mark.id)
    return `it is another one than the store has had; put that one back, ${accept}`;
  const lostCount = mark.changeCount - found.state.changeCount;
  if (lostCount <= 0) return undefined;
  const state = `${lostCount} acknowledged changes, the last ones, are missing from it`;
  return `${state}: "catalog.sqlite-wal" is damaged or missing; put a copy back, ${accept}`;
}

function warn(found: Inspection | undefined, mark: Surroundings["mark"], log: Log): void {
  if (found?.state === undefined || typeof mark !== "string") return;
  const message = `The mark of the catalog is ${mark}: whether changes are missing is unknown`;
  log.warn(message, { file: markName, changeCount: found.state.changeCount });
}

/** Keeps the catalog as it is, under the name of its schema, before it is migrated. */
async function keepCopy(sqlite: Sqlite, folder: string, schema: number): Promise<void> {
  const path = join(folder, `catalog-schema${schema}.sqlite`);
  const part = `${path}.part`;
  rmSync(part, { force: true });
  sqlite.prepare("VACUUM INTO ?").run(part);
  const file = await open(part, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, path);
  await syncFolder(folder);
}

/** SQLite ends a transaction by itself when the disk is full: nothing is left to roll back then. */
class CatalogDriver extends SqliteDriver {
  readonly #sqlite: Sqlite;

  constructor(sqlite: Sqlite) {
    super({ database: sqlite });
    this.#sqlite = sqlite;
  }

  override async rollbackTransaction(
    ...parameters: Parameters<SqliteDriver["rollbackTransaction"]>
  ): Promise<void> {
    if (this.#sqlite.inTransaction) await super.rollbackTransaction(...parameters);
  }
}

class CatalogDialect extends SqliteDialect {
  readonly #sqlite: Sqlite;

  constructor(sqlite: Sqlite) {
    super({ database: sqlite });
    this.#sqlite = sqlite;
  }

  override createDriver(): Driver {
    return new CatalogDriver(this.#sqlite);
  }
}
