/**
 * The catalog as SQL through Kysely. One connection writes, which Kysely lends to one transaction
 * at a time; another one reads, so that a long transaction keeps nobody waiting who only reads.
 * What a method has answered for is committed, and what was committed is read.
 */
import { type Kysely, type SelectQueryBuilder, sql, type Transaction } from "kysely";
import type { BaseModel } from "../../entities/base-model.ts";
import { operator } from "../../entities/caller.ts";
import { assert } from "../../foundation/assert.ts";
import type { Job, JobEvent } from "../../entities/job.ts";
import type { TrainingFile } from "../../entities/training-file.ts";
import type { Incarnation, Version, VirtualModel } from "../../entities/virtual-model.ts";
import type { Digest } from "../../foundation/digest.ts";
import type { Log } from "../../foundation/telemetry.ts";
import { Pace } from "../../foundation/pace.ts";
import { pageStartMissing, rowMissing, rowTaken } from "../checks.ts";
import type {
  Catalog,
  EventTable,
  Owned,
  PageOptions,
  SystemCatalog,
  Table,
  TenantCatalog,
  VersionTable,
} from "../storage.ts";
import { CatalogWriter, type CatalogWriterParts } from "./catalog-writer.ts";
import { guardDisk } from "./disk-errors.ts";
import { rawRows } from "./raw-rows.ts";
import { fromRecord, type RecordForm, requireSound, toRecord } from "./records.ts";
import { type Page, RowReader } from "./row-reader.ts";
import type { CatalogTables } from "./schema.ts";
import { sqliteCode } from "./sqlite.ts";

type Database = Kysely<CatalogTables>;
const versionForm: RecordForm = {
  table: "versions",
  jsonColumns: ["labels", "adapter", "shapes", "metrics"],
};
const eventForm: RecordForm = { table: "events", jsonColumns: ["values"] };
const fileForm: RecordForm = { table: "files", jsonColumns: [] };
const jobForm: RecordForm = {
  table: "jobs",
  jsonColumns: ["hyperparameters", "metadata", "error"],
};
const modelForm: RecordForm = { table: "models", jsonColumns: ["labels"] };
/** Rows per statement, and characters of their labels: one holds the thread while it runs. */
const insertRowCountMax = 100;
const insertCharacterCountMax = 512 * 1024;

export interface SqlCatalogParts extends CatalogWriterParts {
  readonly reads: Database;
  readonly log: Log;
}

export function sqlCatalog(parts: SqlCatalogParts): Catalog {
  const { reads: database } = parts;
  const writer = new CatalogWriter(parts);
  const reader = new RowReader(parts.log);
  const table = <Row extends { readonly id: string }>(form: RecordForm): Table<Row> =>
    new SqlTable<Row>({ database, writer, reader }, form);
  const own: TenantCatalog = {
    models: table<VirtualModel>(modelForm),
    versions: new SqlVersions(database, writer),
    jobs: table<Job>(jobForm),
    events: new SqlEvents({ database, writer, reader }),
    files: table<TrainingFile>(fileForm),
  };
  return {
    bases: table<BaseModel>({ table: "bases", jsonColumns: ["config"] }),
    of({ tenant }) {
      assert(tenant === operator.tenant, "There is one tenant");
      return own;
    },
    system: new SqlSystem({ database, writer, reader }),
  };
}

interface TableParts {
  readonly database: Database;
  readonly writer: CatalogWriter;
  readonly reader: RowReader;
}

class SqlTable<Row extends { readonly id: string }> implements Table<Row> {
  readonly #database: Database;
  readonly #writer: CatalogWriter;
  readonly #reader: RowReader;
  readonly #name: "bases";
  readonly #form: RecordForm;

  constructor({ database, writer, reader }: TableParts, form: RecordForm) {
    this.#database = database;
    this.#writer = writer;
    this.#reader = reader;
    this.#name = form.table as "bases"; // All have the columns of this one.
    this.#form = form;
  }

  async insert(row: Row): Promise<void> {
    await this.#writer.add(`insert into ${this.#name}`, async (transaction) => {
      const insert = transaction.insertInto(this.#name).values(toRecord(this.#name, row));
      try {
        await insert.execute();
      } catch (error) {
        throw isTaken(error) ? rowTaken(this.#name, row.id) : error;
      }
    });
  }

  get(id: string): Promise<Row | undefined> {
    const select = this.#database.selectFrom(this.#name).selectAll().where("id", "=", id);
    return guardDisk(`read ${this.#name}`, async () => {
      const record = await select.executeTakeFirst();
      return record && fromRecord<Row>(record, this.#form);
    });
  }

  async update(row: Row): Promise<void> {
    await this.#writer.change(`update ${this.#name}`, async (transaction) => {
      const update = transaction.updateTable(this.#name).set(toRecord(this.#name, row));
      const result = await update.where("id", "=", row.id).executeTakeFirst();
      if (result.numUpdatedRows === 0n) throw rowMissing(this.#name, row.id);
    });
  }

  delete(id: string): Promise<boolean> {
    return this.#writer.change(`delete from ${this.#name}`, async (transaction) => {
      const remove = transaction.deleteFrom(this.#name).where("id", "=", id);
      return (await remove.executeTakeFirst()).numDeletedRows > 0n;
    });
  }

  list(options: PageOptions): Promise<readonly Row[]> {
    const all = this.#database.selectFrom(this.#name).selectAll();
    const isDescending = options.descending === true;
    return guardDisk(`list ${this.#name}`, async () =>
      this.#reader.page<Row>(this.#form, {
        limit: options.limit,
        after: await this.#placeOf(options.after),
        next: nextOf(all, isDescending),
      }),
    );
  }

  async #placeOf(id: string | undefined): Promise<number | undefined> {
    if (id === undefined) return undefined;
    const select = this.#database.selectFrom(this.#name).select("sequence").where("id", "=", id);
    const start = await select.executeTakeFirst();
    if (start === undefined) throw pageStartMissing(this.#name, id);
    return start.sequence;
  }

  async count(): Promise<number> {
    const select = this.#database
      .selectFrom(this.#name)
      .select(({ fn }) => fn.countAll<number>().as("count"));
    const row = await guardDisk(`count ${this.#name}`, () => select.executeTakeFirstOrThrow());
    return row.count;
  }
}

class SqlVersions implements VersionTable {
  readonly #database: Database;
  readonly #writer: CatalogWriter;

  constructor(database: Database, writer: CatalogWriter) {
    this.#database = database;
    this.#writer = writer;
  }

  async insert(version: Version, options: { readonly isServed: boolean }): Promise<void> {
    const { model, number, labels } = version;
    await this.#writer.add("insert into versions", async (transaction) => {
      const models = transaction.selectFrom("models").selectAll();
      const record = await models.where("incarnation", "=", model).executeTakeFirst();
      if (record === undefined) throw rowMissing("models", model);
      try {
        await transaction.insertInto("versions").values(toRecord("versions", version)).execute();
      } catch (error) {
        throw isTaken(error) ? rowTaken("versions", `${model}@${number}`) : error;
      }
      const counted = { ...fromRecord<VirtualModel>(record, modelForm), versionCount: number };
      const served = options.isServed ? { ...counted, servedVersion: number, labels } : counted;
      const update = transaction.updateTable("models").set(toRecord("models", served));
      await update.where("incarnation", "=", model).execute();
    });
  }

  async insertWithModels(
    rows: readonly { readonly model: VirtualModel; readonly version: Version }[],
  ): Promise<void> {
    await this.#writer.add("insert into models", async (transaction) => {
      const pace = new Pace();
      for (const chunk of chunksOf(rows)) {
        await insertChunk(transaction, chunk);
        // In the midst of a transaction others may run; what they write waits for its end.
        if (pace.isDue) await pace.rest();
      }
    });
  }

  get(model: Incarnation, number: number): Promise<Version | undefined> {
    const select = this.#database.selectFrom("versions").selectAll();
    return guardDisk("read versions", async () => {
      const one = select.where("model", "=", model).where("number", "=", number);
      const record = await one.executeTakeFirst();
      return record && fromRecord<Version>(record, versionForm);
    });
  }

  list(model: Incarnation): Promise<readonly Version[]> {
    const select = this.#database.selectFrom("versions").selectAll().where("model", "=", model);
    return guardDisk("list versions", async () => {
      const records = await select.orderBy("number").execute();
      return records.map((record) => fromRecord<Version>(record, versionForm));
    });
  }

  delete(model: Incarnation, number: number): Promise<boolean> {
    return this.#writer.change("delete from versions", async (transaction) => {
      const remove = transaction.deleteFrom("versions").where("model", "=", model);
      const result = await remove.where("number", "=", number).executeTakeFirst();
      return result.numDeletedRows > 0n;
    });
  }
}

class SqlSystem implements SystemCatalog {
  readonly #database: Database;
  readonly #reader: RowReader;

  constructor({ database, reader }: TableParts) {
    this.#database = database;
    this.#reader = reader;
  }

  hasModel(id: string): Promise<boolean> {
    const select = this.#database.selectFrom("models").select("id").where("id", "=", id);
    return guardDisk("read models", async () => (await select.executeTakeFirst()) !== undefined);
  }

  modelOn(base: string): Promise<string | undefined> {
    const select = this.#database.selectFrom("models").select("id").where("base", "=", base);
    return guardDisk("read models", async () => (await select.limit(1).executeTakeFirst())?.id);
  }

  async countModels(): Promise<number> {
    const select = this.#database
      .selectFrom("models")
      .select(({ fn }) => fn.countAll<number>().as("count"));
    return (await guardDisk("count models", () => select.executeTakeFirstOrThrow())).count;
  }

  async *jobs(): AsyncGenerator<Owned<Job>, void, undefined> {
    for await (const { record } of rawRows(this.#database, "jobs"))
      for (const job of this.#reader.sound<Job>(record, jobForm))
        yield { ...job, tenant: operator.tenant };
  }

  async countBlobUses(blob: Digest): Promise<number> {
    const database = this.#database;
    const weights = database.selectFrom("versions").select("blob").where("blob", "=", blob);
    const evidence = database.selectFrom("versions").select("blob").where("evidence", "=", blob);
    const files = database.selectFrom("files").select("blob").where("blob", "=", blob);
    const uses = weights.unionAll(evidence).unionAll(files).as("uses");
    const select = database.selectFrom(uses).select(({ fn }) => fn.countAll<number>().as("count"));
    return (await guardDisk("count uses of a blob", () => select.executeTakeFirstOrThrow())).count;
  }

  namedBlobs(): Promise<ReadonlySet<Digest>> {
    return guardDisk("list named blobs", async () => {
      const named = new Set<Digest>();
      for (const table of ["versions", "files"]) {
        for await (const { record } of rawRows(this.#database, table)) {
          requireSound(record, table);
          const { blob, evidence } = record as Naming; // It is what `toRecord` has written.
          named.add(blob);
          if (typeof evidence === "string") named.add(evidence);
        }
      }
      return named;
    });
  }
}

/** What versions and files name. */
interface Naming {
  readonly blob: Digest;
  readonly evidence?: Digest | null;
}

class SqlEvents implements EventTable {
  readonly #database: Database;
  readonly #writer: CatalogWriter;
  readonly #reader: RowReader;

  constructor({ database, writer, reader }: TableParts) {
    this.#database = database;
    this.#writer = writer;
    this.#reader = reader;
  }

  async append(event: JobEvent): Promise<void> {
    await this.#writer.add("insert into events", async (transaction) => {
      const insert = transaction.insertInto("events").values(toRecord("events", event));
      try {
        await insert.execute();
      } catch (error) {
        if (isTaken(error)) throw rowTaken("events", event.id);
        throw isOrphan(error) ? rowMissing("jobs", event.job) : error;
      }
    });
  }

  list(job: string, options: PageOptions): Promise<readonly JobEvent[]> {
    const all = this.#database.selectFrom("events").selectAll().where("job", "=", job);
    const isDescending = options.descending === true;
    return guardDisk("list events", async () => {
      let start: number | undefined;
      if (options.after !== undefined) {
        const place = await all.where("id", "=", options.after).executeTakeFirst();
        if (place === undefined) throw pageStartMissing("events", options.after);
        start = place.sequence;
      }
      return this.#reader.page<JobEvent>(eventForm, {
        limit: options.limit,
        after: start,
        next: nextOf(all, isDescending),
      });
    });
  }
}

/** The rows of a query after a place, in order of creation or against it. */
function nextOf<Name extends "bases" | "events">(
  all: SelectQueryBuilder<CatalogTables, Name, { sequence: number }>,
  isDescending: boolean,
): Page["next"] {
  const sequence = sql.ref<number>("sequence");
  return (after, limit) => {
    const rest = after === undefined ? all : all.where(sequence, isDescending ? "<" : ">", after);
    return rest
      .orderBy(sequence, isDescending ? "desc" : "asc")
      .limit(limit)
      .execute();
  };
}

type Chunk = readonly { readonly model: VirtualModel; readonly version: Version }[];

function* chunksOf(rows: Chunk): Generator<Chunk, void, undefined> {
  let chunk: Chunk[number][] = [];
  let characters = 0;
  for (const row of rows) {
    chunk.push(row);
    for (const label of row.model.labels) characters += 2 * label.length;
    if (chunk.length < insertRowCountMax && characters < insertCharacterCountMax) continue;
    yield chunk;
    chunk = [];
    characters = 0;
  }
  if (chunk.length > 0) yield chunk;
}

async function insertChunk(transaction: Transaction<CatalogTables>, chunk: Chunk): Promise<void> {
  const models = chunk.map(({ model, version }) =>
    toRecord("models", {
      ...model,
      servedVersion: version.number,
      versionCount: version.number,
    }),
  );
  const versions = chunk.map(({ version }) => toRecord("versions", version));
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
