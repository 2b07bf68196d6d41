/** What spans tenants, in SQL. */
import type { Kysely } from "kysely";
import type { Tenant } from "../../entities/caller.ts";
import type { Job } from "../../entities/job.ts";
import type { Digest } from "../../foundation/digest.ts";
import type { Owned, SystemCatalog } from "../storage.ts";
import { guardDisk } from "./disk-errors.ts";
import { rawRows } from "./raw-rows.ts";
import { jobForm, requireSound } from "./records.ts";
import type { RowReader } from "./row-reader.ts";
import type { CatalogTables } from "./schema.ts";
import type { TableParts } from "./sql-table.ts";

export class SqlSystem implements SystemCatalog {
  readonly #database: Kysely<CatalogTables>;
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
        yield { ...job, tenant: (record as Owning).tenant }; // It is what the table has.
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

/** The tenant to whom a row belongs. */
interface Owning {
  readonly tenant: Tenant;
}
