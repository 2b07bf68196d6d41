/**
 * The catalog of a simulated machine: Strata's own, on a SQLite database in memory. What has been
 * committed outlives the process, what has not is rolled back when it is killed; SQLite's own files
 * are left to tests that kill real processes. Every committed change is told, by triggers: what the
 * catalog holds is known without asking the code that is examined.
 */
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
}

interface Named {
  readonly name: string;
}

const watchedTables = ["models", "versions", "jobs", "files", "events"] as const;

export class SimulatedCatalog {
  readonly #sqlite: Sqlite = openSqlite(":memory:");
  readonly #statements = new Map<string, SqliteStatement>();
  readonly #onCommit: (changes: readonly RowChange[]) => void;
  /** What the transaction that is open has changed. */
  #changes: RowChange[] = [];
  #isMade = false;

  /** `onCommit` gets the changes of each transaction at the moment of its commit. */
  constructor(onCommit: (changes: readonly RowChange[]) => void) {
    this.#onCommit = onCommit;
    this.#sqlite.pragma("foreign_keys = ON");
  }

  /** The catalog as a process sees it that has just begun. */
  async open(parts: CatalogParts): Promise<Catalog> {
    const dialect = new SimulatedDialect(this.#database(), {
      ...parts,
      committed: () => this.#committed(),
      rolledBack: () => void (this.#changes = []),
      isInTransaction: () => this.#sqlite.inTransaction,
    });
    const database = new Kysely<CatalogTables>({ dialect });
    if (!this.#isMade) await this.#make(database);
    const mark = {
      advance: (count: number): void => {
        // What is committed stays so, though the caller is told of a failure.
        if (parts.faults.strikes("full", `mark ${count}`)) throw diskError("ENOSPC");
      },
    };
    // One connection for all: whoever reads waits for the transactions of others.
    return sqlCatalog({ ...parts, database, reads: database, mark });
  }

  /** The process is gone, and with it the transaction that it was in. */
  crash(): void {
    if (this.#sqlite.inTransaction) this.#sqlite.exec("ROLLBACK");
    this.#changes = [];
  }

  close(): void {
    this.#sqlite.close();
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

  /** The database with every statement compiled once, which no process closes. */
  #database(): SqliteDatabase {
    return {
      prepare: (sql) => {
        const known = this.#statements.get(sql) ?? this.#sqlite.prepare<unknown[]>(sql);
        this.#statements.set(sql, known);
        return known;
      },
      close: () => {},
    };
  }
}

function columnsOf(json: string | null): Columns | undefined {
  return json === null ? undefined : (JSON.parse(json) as Columns); // written by `json_object`
}

interface Watch extends CatalogParts {
  committed(): void;
  rolledBack(): void;
  isInTransaction(): boolean;
}

class SimulatedDialect extends SqliteDialect {
  readonly #database: SqliteDatabase;
  readonly #watch: Watch;

  constructor(database: SqliteDatabase, watch: Watch) {
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
  readonly #watch: Watch;

  constructor(database: SqliteDatabase, watch: Watch) {
    super({ database });
    this.#watch = watch;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    return new SlowConnection(await super.acquireConnection(), this.#watch);
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection);
    this.#watch.committed();
    if (this.#watch.time.happens(0.3)) await this.#watch.life.wait();
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.#watch.isInTransaction()) await super.rollbackTransaction(connection);
    this.#watch.rolledBack();
  }
}

class SlowConnection implements DatabaseConnection {
  readonly #connection: DatabaseConnection;
  readonly #watch: Watch;

  constructor(connection: DatabaseConnection, watch: Watch) {
    this.#connection = connection;
    this.#watch = watch;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { life, faults } = this.#watch;
    // A rollback must come to pass, or nothing does.
    if (query.sql === "rollback") return this.#connection.executeQuery<Row>(query);
    await life.wait();
    const what = query.sql.slice(0, 40);
    if (faults.strikes("catalog", what)) throw sqliteError("SQLITE_IOERR");
    const isWrite = !query.sql.startsWith("select") && query.sql !== "begin";
    if (isWrite && faults.strikes("full", what)) throw sqliteError("SQLITE_FULL");
    return this.#connection.executeQuery<Row>(query);
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
