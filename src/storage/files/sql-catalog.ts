/**
 * The catalog as SQL through Kysely. One connection, which Kysely lends to one statement or
 * transaction at a time; what a method has answered for is committed.
 */
import type { Kysely, Transaction } from "kysely";
import type { BaseModel } from "../../entities/base-model.ts";
import type { Job, JobEvent } from "../../entities/job.ts";
import type { TrainingFile } from "../../entities/training-file.ts";
import type { Incarnation, Version, VirtualModel } from "../../entities/virtual-model.ts";
import type { Digest } from "../../foundation/digest.ts";
import { wrapError } from "../../foundation/errors.ts";
import { pageStartMissing, rowMissing, rowTaken } from "../checks.ts";
import type { Catalog, EventTable, PageOptions, Table, VersionTable } from "../storage.ts";
import { fromRecord, toRecord } from "./records.ts";
import type { CatalogTables } from "./schema.ts";
import { sqliteCode } from "./sqlite.ts";

type Database = Kysely<CatalogTables>;
const versionJsonColumns = ["labels", "shapes", "metrics"];
/** Rows per statement: SQLite takes at most 32,766 values in one. */
const insertRowCountMax = 500;

export function sqlCatalog(database: Database): Catalog {
  return {
    bases: new SqlTable<BaseModel>(database, "bases", ["config"]),
    models: new SqlTable<VirtualModel>(database, "models", ["labels"]),
    versions: new SqlVersions(database),
    jobs: new SqlTable<Job>(database, "jobs", ["hyperparameters", "metadata", "error"]),
    events: new SqlEvents(database),
    files: new SqlTable<TrainingFile>(database, "files", []),
  };
}

class SqlTable<Row extends { readonly id: string }> implements Table<Row> {
  readonly #database: Database;
  readonly #name: "bases";
  readonly #jsonColumns: readonly string[];

  constructor(
    database: Database,
    name: "bases" | "models" | "jobs" | "files",
    jsonColumns: readonly string[],
  ) {
    this.#database = database;
    this.#name = name as "bases"; // All have the columns of this one: `sequence` and `id`.
    this.#jsonColumns = jsonColumns;
  }

  async insert(row: Row): Promise<void> {
    const insert = this.#database.insertInto(this.#name).values(toRecord(row));
    await guard(`insert into ${this.#name}`, async () => {
      try {
        await insert.execute();
      } catch (error) {
        throw isTaken(error) ? rowTaken(this.#name, row.id) : error;
      }
    });
  }

  async get(id: string): Promise<Row | undefined> {
    const select = this.#database.selectFrom(this.#name).selectAll().where("id", "=", id);
    const record = await guard(`read ${this.#name}`, () => select.executeTakeFirst());
    return record && fromRecord(record, this.#jsonColumns);
  }

  async update(row: Row): Promise<void> {
    const update = this.#database.updateTable(this.#name).set(toRecord(row));
    const result = await guard(`update ${this.#name}`, () =>
      update.where("id", "=", row.id).executeTakeFirst(),
    );
    if (result.numUpdatedRows === 0n) throw rowMissing(this.#name, row.id);
  }

  async delete(id: string): Promise<boolean> {
    const remove = this.#database.deleteFrom(this.#name).where("id", "=", id);
    const result = await guard(`delete from ${this.#name}`, () => remove.executeTakeFirst());
    return result.numDeletedRows > 0n;
  }

  list(options: PageOptions): Promise<readonly Row[]> {
    return guard(`list ${this.#name}`, async () => {
      const { after, descending, limit } = options;
      let select = this.#database.selectFrom(this.#name).selectAll().limit(limit);
      if (after !== undefined) {
        const start = await this.#database
          .selectFrom(this.#name)
          .select("sequence")
          .where("id", "=", after)
          .executeTakeFirst();
        if (start === undefined) throw pageStartMissing(this.#name, after);
        select = select.where("sequence", descending === true ? "<" : ">", start.sequence);
      }
      const page = select.orderBy("sequence", descending === true ? "desc" : "asc");
      const records = await page.execute();
      return records.map((record) => fromRecord<Row>(record, this.#jsonColumns));
    });
  }

  async count(): Promise<number> {
    const select = this.#database
      .selectFrom(this.#name)
      .select(({ fn }) => fn.countAll<number>().as("count"));
    const row = await guard(`count ${this.#name}`, () => select.executeTakeFirstOrThrow());
    return row.count;
  }
}

class SqlVersions implements VersionTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async insert(version: Version, options: { readonly isServed: boolean }): Promise<void> {
    const { model, number } = version;
    const insert = this.#database.insertInto("versions").values(toRecord(version)).compile();
    await guard("insert into versions", () =>
      this.#database.transaction().execute(async (transaction) => {
        try {
          await transaction.executeQuery(insert);
        } catch (error) {
          if (isOrphan(error)) throw rowMissing("models", model);
          throw isTaken(error) ? rowTaken("versions", `${model}@${number}`) : error;
        }
        const labels = JSON.stringify(version.labels);
        const served = options.isServed ? { servedVersion: number, labels } : {};
        const update = transaction.updateTable("models").set({ versionCount: number, ...served });
        await update.where("incarnation", "=", model).execute();
      }),
    );
  }

  async insertWithModels(
    rows: readonly { readonly model: VirtualModel; readonly version: Version }[],
  ): Promise<void> {
    await guard("insert into models", () =>
      this.#database.transaction().execute(async (transaction) => {
        for (let start = 0; start < rows.length; start += insertRowCountMax)
          await insertChunk(transaction, rows.slice(start, start + insertRowCountMax));
      }),
    );
  }

  async get(model: Incarnation, number: number): Promise<Version | undefined> {
    const select = this.#database.selectFrom("versions").selectAll();
    const record = await guard("read versions", () =>
      select.where("model", "=", model).where("number", "=", number).executeTakeFirst(),
    );
    return record && fromRecord(record, versionJsonColumns);
  }

  async list(model: Incarnation): Promise<readonly Version[]> {
    const select = this.#database.selectFrom("versions").selectAll().where("model", "=", model);
    const records = await guard("list versions", () => select.orderBy("number").execute());
    return records.map((record) => fromRecord<Version>(record, versionJsonColumns));
  }

  async delete(model: Incarnation, number: number): Promise<boolean> {
    const remove = this.#database.deleteFrom("versions").where("model", "=", model);
    const result = await guard("delete from versions", () =>
      remove.where("number", "=", number).executeTakeFirst(),
    );
    return result.numDeletedRows > 0n;
  }

  async countBlobUses(blob: Digest): Promise<number> {
    const database = this.#database;
    const weights = database.selectFrom("versions").select("blob").where("blob", "=", blob);
    const evidence = database.selectFrom("versions").select("blob").where("evidence", "=", blob);
    const files = database.selectFrom("files").select("blob").where("blob", "=", blob);
    const uses = weights.unionAll(evidence).unionAll(files).as("uses");
    const select = database.selectFrom(uses).select(({ fn }) => fn.countAll<number>().as("count"));
    return (await guard("count uses of a blob", () => select.executeTakeFirstOrThrow())).count;
  }

  async namedBlobs(): Promise<ReadonlySet<Digest>> {
    const database = this.#database;
    const evidence = database
      .selectFrom("versions")
      .select("evidence as blob")
      .where("evidence", "is not", null)
      .$narrowType<{ blob: string }>();
    const files = database.selectFrom("files").select("blob");
    const select = database.selectFrom("versions").select("blob").union(files).union(evidence);
    const rows = await guard("list named blobs", () => select.execute());
    return new Set(rows.map(({ blob }) => blob as Digest)); // The column holds nothing else.
  }
}

class SqlEvents implements EventTable {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async append(event: JobEvent): Promise<void> {
    const insert = this.#database.insertInto("events").values(toRecord(event));
    await guard("insert into events", async () => {
      try {
        await insert.execute();
      } catch (error) {
        if (isTaken(error)) throw rowTaken("events", event.id);
        throw isOrphan(error) ? rowMissing("jobs", event.job) : error;
      }
    });
  }

  list(job: string, options: PageOptions): Promise<readonly JobEvent[]> {
    return guard("list events", async () => {
      const { after, descending, limit } = options;
      const events = this.#database.selectFrom("events").where("job", "=", job);
      let select = events.selectAll().limit(limit);
      if (after !== undefined) {
        const start = await events.select("sequence").where("id", "=", after).executeTakeFirst();
        if (start === undefined) throw pageStartMissing("events", after);
        select = select.where("sequence", descending === true ? "<" : ">", start.sequence);
      }
      const page = select.orderBy("sequence", descending === true ? "desc" : "asc");
      return (await page.execute()).map((record) => fromRecord<JobEvent>(record, ["values"]));
    });
  }
}

type Chunk = readonly { readonly model: VirtualModel; readonly version: Version }[];

async function insertChunk(transaction: Transaction<CatalogTables>, chunk: Chunk): Promise<void> {
  const models = chunk.map(({ model, version }) =>
    toRecord({
      ...model,
      servedVersion: version.number,
      versionCount: version.number,
    }),
  );
  const versions = chunk.map(({ version }) => toRecord(version));
  try {
    await transaction.insertInto("models").values(models).execute();
    await transaction.insertInto("versions").values(versions).execute();
  } catch (error) {
    throw isTaken(error) ? rowTaken("models", "one of the new ids") : error;
  }
}

function isTaken(error: unknown): boolean {
  return ["SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"].includes(sqliteCode(error));
}

function isOrphan(error: unknown): boolean {
  return sqliteCode(error) === "SQLITE_CONSTRAINT_FOREIGNKEY";
}

async function guard<T>(action: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", `Cannot ${action}`);
  }
}
