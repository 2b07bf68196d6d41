/**
 * The catalog of a simulated machine: Strata's own, on a SQLite database of its own, which one
 * connection writes and a second one reads. What has been committed outlives the process, what has
 * not is rolled back when it is killed; what becomes of SQLite's own files is left to tests that
 * kill real processes. Every committed change is told, by triggers: what the catalog holds is known
 * without asking the code that is examined.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CompiledQuery,
  type DatabaseConnection,
  Kysely,
  type QueryResult,
  SqliteDialect,
  type SqliteDatabase,
  SqliteDriver,
  type SqliteStatement,
} from "kysely";
import { present } from "../../src/foundation/assert.ts";
import type { Random } from "../../src/foundation/random.ts";
import type { Log } from "../../src/foundation/telemetry.ts";
import type { Reserve } from "../../src/storage/files/reserve.ts";
import { type CatalogTables, migrate } from "../../src/storage/files/schema.ts";
import { sqlCatalog } from "../../src/storage/files/sql-catalog.ts";
import { openSqlite, type Sqlite } from "../../src/storage/files/sqlite.ts";
import type { Catalog } from "../../src/storage/storage.ts";
import { diskError } from "./simulated-files.ts";
import type { Faults } from "./faults.ts";
import type { Lifetime, VirtualTime } from "./virtual-time.ts";

/** A row as SQLite has it: lists and maps are JSON texts. */
export type Columns = Readonly<Record<string, string | number | null>>;

export interface RowChange {
  readonly table: string;
  readonly before: Columns | undefined;
  readonly after: Columns | undefined;
}

export interface CatalogParts {
  readonly life: Lifetime;
  readonly time: VirtualTime;
  readonly faults: Faults;
  readonly reserve: Reserve;
  readonly log: Log;
  /** Looks at the connection that reads before anybody reads. */
  readonly onReading?: ((reading: Sqlite) => void) | undefined;
}

interface Named {
  readonly name: string;
}

/** The share of statements after which the caller hears of it only later. */
const lateShare = 0.3;

/** The columns of which one may rot: those by which a row is found stay. */
const rottingColumns = {
  models: ["labels", "servedVersion", "check"],
  versions: ["labels", "metrics", "shapes", "check"],
  jobs: ["hyperparameters", "seed", "check"],
  files: ["filename", "bytes", "check"],
} as const;

export interface Rotten {
  readonly table: string;
  /** The row as it was. */
  readonly row: Columns;
}

const watchedTables = ["models", "versions", "jobs", "files", "events"] as const;

export class SimulatedCatalog {
  readonly #folder = mkdtempSync(join(tmpdir(), "strata-lives-"));
  readonly #sqlite: Sqlite = openSqlite(join(this.#folder, "catalog.sqlite"));
  /** The connection that reads; it is opened when there is something to read. */
  #reading: Sqlite | undefined;
  readonly #onCommit: (changes: readonly RowChange[]) => void;
  /** What the transaction that is open has changed. */
  #changes: RowChange[] = [];
  #isMade = false;

  /** `onCommit` gets the changes of each transaction at the moment of its commit. */
  constructor(onCommit: (changes: readonly RowChange[]) => void) {
    this.#onCommit = onCommit;
    this.#sqlite.pragma("journal_mode = WAL");
    // No power fails that this file would have to outlive.
    this.#sqlite.pragma("synchronous = OFF");
    this.#sqlite.pragma("foreign_keys = ON");
  }

  /** The catalog as a process sees it that has just begun. */
  async open(parts: CatalogParts): Promise<Catalog> {
    const watch = {
      ...parts,
      committed: () => this.#committed(),
      rolledBack: () => void (this.#changes = []),
    };
    const database = kyselyOn(this.#sqlite, watch);
    if (!this.#isMade) await this.#make(database);
    this.#reading ??= openSqlite(join(this.#folder, "catalog.sqlite"), { isReadOnly: true });
    parts.onReading?.(this.#reading);
    const reads = kyselyOn(this.#reading, watch);
    const mark = {
      advance: (count: number): void => {
        // What is committed stays so, though the caller is told of a failure.
        if (parts.faults.strikes("full", `mark ${count}`)) throw diskError("ENOSPC");
      },
    };
    return sqlCatalog({ ...parts, database, reads, mark });
  }

  /** Changes a column of some row behind SQLite's back; undefined when that cannot be done now. */
  rot(random: Random): Rotten | undefined {
    // It would be a part of the transaction.
    if (!this.#isMade || this.#sqlite.inTransaction) return undefined;
    const tables = Object.keys(rottingColumns) as (keyof typeof rottingColumns)[]; // Its own keys.
    const table = present(tables[random.integer(tables.length)], "there are tables");
    const rows = this.#sqlite.prepare(`SELECT rowid AS "place", * FROM "${table}"`).all();
    const row = rows[random.integer(Math.max(1, rows.length))] as Columns | undefined; // A row.
    const names = rottingColumns[table];
    const column = present(names[random.integer(names.length)], "there are columns");
    const value = row?.[column];
    if (row === undefined || value === undefined || value === null) return undefined;
    const update = this.#sqlite.prepare(`UPDATE "${table}" SET "${column}" = ? WHERE rowid = ?`);
    update.run(typeof value === "number" ? value + 1 : `${value} `, row["place"]);
    this.#changes = [];
    return { table, row };
  }

  /** The process is gone, and with it the transaction that it was in. */
  crash(): void {
    for (const sqlite of [this.#sqlite, this.#reading])
      if (sqlite?.inTransaction === true) sqlite.exec("ROLLBACK");
    this.#changes = [];
  }

  close(): void {
    this.#reading?.close();
    this.#sqlite.close();
    rmSync(this.#folder, { recursive: true });
  }

  async #make(database: Kysely<CatalogTables>): Promise<void> {
    await migrate(database, 0);
    this.#isMade = true;
    this.#sqlite.function("told", (table: string, before: string | null, after: string | null) => {
      this.#changes.push({ table, before: columnsOf(before), after: columnsOf(after) });
      return null;
    });
    for (const table of watchedTables) {
      const columns = this.#sqlite.pragma(`table_info("${table}")`) as Named[]; // SQLite's rows
      const row = (side: string): string =>
        `json_object(${columns.map(({ name }) => `'${name}', ${side}."${name}"`).join(", ")})`;
      for (const [event, before, after] of [
        ["INSERT", "NULL", row("new")],
        ["UPDATE", row("old"), row("new")],
        ["DELETE", row("old"), "NULL"],
      ])
        this.#sqlite.exec(
          `CREATE TEMP TRIGGER "told ${event} ${table}" AFTER ${event} ON main."${table}"
           BEGIN SELECT told('${table}', ${before}, ${after}); END`,
        );
    }
    this.#changes = [];
  }

  #committed(): void {
    const changes = this.#changes;
    this.#changes = [];
    this.#onCommit(changes);
  }
}

function columnsOf(json: string | null): Columns | undefined {
  return json === null ? undefined : (JSON.parse(json) as Columns); // written by `json_object`
}

interface Watch extends CatalogParts {
  committed(): void;
  rolledBack(): void;
}

interface ConnectionWatch extends Watch {
  isInTransaction(): boolean;
}

/** Kysely on a connection, with every statement compiled once, which no process closes. */
function kyselyOn(sqlite: Sqlite, watch: Watch): Kysely<CatalogTables> {
  const known = statementsOf.get(sqlite) ?? new Map<string, SqliteStatement>();
  statementsOf.set(sqlite, known);
  const database: SqliteDatabase = {
    prepare: (sql) => {
      const statement = known.get(sql) ?? sqlite.prepare<unknown[]>(sql);
      known.set(sql, statement);
      return statement;
    },
    close: () => {},
  };
  const isInTransaction = (): boolean => sqlite.inTransaction;
  return new Kysely({ dialect: new SimulatedDialect(database, { ...watch, isInTransaction }) });
}

const statementsOf = new WeakMap<Sqlite, Map<string, SqliteStatement>>();

class SimulatedDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;
  readonly #watch: ConnectionWatch;

  constructor(database: SqliteDatabase, watch: ConnectionWatch) {
    super({ database });
    this.#database = database;
    this.#watch = watch;
  }

  override createDriver(): SqliteDriver {
    return new SimulatedDriver(this.#database, this.#watch);
  }
}

/** Every statement takes its time, and may fail; so may a commit. */
class SimulatedDriver extends SqliteDriver {
  readonly #watch: ConnectionWatch;

  constructor(database: SqliteDatabase, watch: ConnectionWatch) {
    super({ database });
    this.#watch = watch;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return new SlowConnection(await super.acquireConnection(), this.#watch);
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection);
    this.#watch.committed();
    if (this.#watch.time.happens(lateShare)) await this.#watch.life.wait();
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#watch.isInTransaction()) await super.rollbackTransaction(connection);
    this.#watch.rolledBack();
  }
}

class SlowConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection;
  readonly #watch: ConnectionWatch;

  constructor(connection: DatabaseConnection, watch: ConnectionWatch) {
    this.#connection = connection;
    this.#watch = watch;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { life, time, faults } = this.#watch;
    // A rollback must come to pass, or nothing does.
    if (query.sql === "rollback") return this.#connection.executeQuery<Row>(query);
    await life.wait();
    const isRead = query.sql.trimStart().slice(0, 6).toLowerCase() === "select";
    const what = query.sql.slice(0, 40);
    if (faults.strikes("catalog", what)) throw sqliteError("SQLITE_IOERR");
    const isWrite = !isRead && query.sql !== "begin";
    if (isWrite && faults.strikes("full", what)) throw sqliteError("SQLITE_FULL");
    const result = await this.#connection.executeQuery<Row>(query);
    // What was read may have changed by the time at which somebody looks at it.
    if (isRead && time.happens(lateShare)) await life.wait();
    return result;
  }

  streamQuery<Row>(
    query: CompiledQuery,
    chunkSize?: number,
  ): AsyncIterableIterator<QueryResult<Row>> {
    return this.#connection.streamQuery<Row>(query, chunkSize);
  }
}

function sqliteError(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
