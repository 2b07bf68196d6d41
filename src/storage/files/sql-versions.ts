/** One tenant's versions in SQL, and the models that they are counted in. */
import type { Kysely, Transaction } from "kysely";
import type { Tenant } from "../../entities/caller.ts";
import type { Incarnation, Version, VirtualModel } from "../../entities/virtual-model.ts";
import type { Digest } from "../../foundation/digest.ts";
import { Pace } from "../../foundation/pace.ts";
import { isListed, rowMissing, rowTaken } from "../checks.ts";
import type { VersionPage, VersionTable } from "../storage.ts";
import type { CatalogWriter } from "./catalog-writer.ts";
import { guardDisk } from "./disk-errors.ts";
import { fromRecord, modelForm, toRecord, versionForm } from "./records.ts";
import type { CatalogTables } from "./schema.ts";
import type { RowReader } from "./row-reader.ts";
import { isTaken } from "./sqlite.ts";
import type { TableParts } from "./sql-table.ts";

/** Rows per statement, and characters of their labels: one holds the thread while it runs. */
const insertRowCountMax = 100;
const insertCharacterCountMax = 512 * 1024;

export class SqlVersions implements VersionTable {
  readonly #database: Kysely<CatalogTables>;
  readonly #writer: CatalogWriter;
  readonly #reader: RowReader;
  readonly #tenant: Tenant;

  constructor({ database, writer, reader }: TableParts, tenant: Tenant) {
    this.#database = database;
    this.#writer = writer;
    this.#reader = reader;
    this.#tenant = tenant;
  }

  async insert(version: Version, options: { readonly isServed: boolean }): Promise<void> {
    const { model, number, labels } = version;
    const tenant = this.#tenant;
    await this.#writer.add("insert into versions", async (transaction) => {
      const select = transaction.selectFrom("models").selectAll();
      const its = select.where("incarnation", "=", model).where("tenant", "=", tenant);
      const record = await its.executeTakeFirst();
      if (record === undefined) throw rowMissing("models", model);
      try {
        await transaction
          .insertInto("versions")
          .values(toRecord("versions", { ...version, tenant }))
          .execute();
      } catch (error) {
        throw isTaken(error) ? rowTaken("versions", `${model}@${number}`) : error;
      }
      const counted = { ...fromRecord<VirtualModel>(record, modelForm), versionCount: number };
      const served = options.isServed ? { ...counted, servedVersion: number, labels } : counted;
      const update = transaction.updateTable("models");
      const changed = update.set(toRecord("models", { ...served, tenant }));
      await changed.where("sequence", "=", record.sequence).execute();
    });
  }

  async insertWithModels(
    rows: readonly { readonly model: VirtualModel; readonly version: Version }[],
  ): Promise<void> {
    await this.#writer.add("insert into models", async (transaction) => {
      const pace = new Pace();
      for (const chunk of chunksOf(rows)) {
        await insertChunk(transaction, this.#tenant, chunk);
        // In the midst of a transaction others may run; what they write waits for its end.
        if (pace.isDue) await pace.rest();
      }
    });
  }

  get(model: Incarnation, number: number): Promise<Version | undefined> {
    const select = this.#database.selectFrom("versions").selectAll();
    const its = select.where("model", "=", model).where("tenant", "=", this.#tenant);
    return guardDisk("read versions", async () => {
      const record = await its.where("number", "=", number).executeTakeFirst();
      return record && fromRecord<Version>(record, versionForm);
    });
  }

  naming(blob: Digest): Promise<readonly Pick<Version, "model" | "number">[]> {
    const select = this.#database.selectFrom("versions").select(["model", "number"]);
    const its = select.where("blob", "=", blob).where("tenant", "=", this.#tenant);
    return guardDisk("read versions", async () => {
      const records = await its.execute();
      return records.map(({ model, number }) => {
        const incarnation = model as Incarnation; // What was stored.
        return { model: incarnation, number };
      });
    });
  }

  list(model: Incarnation, options: VersionPage): Promise<readonly Version[]> {
    const { after, limit, where = {} } = options;
    const select = this.#database.selectFrom("versions").selectAll();
    // A version's place in the list of its model is its number.
    const placed = select.select("number as sequence").where("model", "=", model);
    const its = placed.where("tenant", "=", this.#tenant);
    const wanted = where.job === undefined ? its : its.where("job", "=", where.job);
    return guardDisk("list versions", () =>
      this.#reader.page<Version>(versionForm, {
        limit,
        after,
        next: (place = 0, count) =>
          wanted.where("number", ">", place).orderBy("number").limit(count).execute(),
        isWanted: (row) => isListed(row, where),
      }),
    );
  }

  delete(model: Incarnation, number: number): Promise<boolean> {
    return this.#writer.change("delete from versions", async (transaction) => {
      const remove = transaction.deleteFrom("versions").where("model", "=", model);
      const its = remove.where("tenant", "=", this.#tenant).where("number", "=", number);
      return (await its.executeTakeFirst()).numDeletedRows > 0n;
    });
  }
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

async function insertChunk(
  transaction: Transaction<CatalogTables>,
  tenant: Tenant,
  chunk: Chunk,
): Promise<void> {
  const models = chunk.map(({ model, version }) =>
    toRecord("models", {
      ...model,
      tenant,
      servedVersion: version.number,
      versionCount: version.number,
    }),
  );
  const versions = chunk.map(({ version }) => toRecord("versions", { ...version, tenant }));
  try {
    await transaction.insertInto("models").values(models).execute();
    await transaction.insertInto("versions").values(versions).execute();
  } catch (error) {
    throw isTaken(error) ? rowTaken("models", "one of the new ids") : error;
  }
}
