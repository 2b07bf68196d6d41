/**
 * The catalog's tables as queries name them, and how older files become them: what a migration says
 * is done in one transaction, and rows keep the checks that they deserve.
 */
import { type Generated, type Kysely, sql, type Transaction } from "kysely";
import type { Tenant } from "../../entities/caller.ts";
import { rawRows } from "./raw-rows.ts";
import { migrations, rewritten, rowTables } from "./migrations.ts";
import { checkOf, isSound } from "./records.ts";

interface IdColumns {
  readonly sequence: Generated<number>;
  readonly id: string;
  readonly check: string;
}

/** Ids are a tenant's own: two may have the same one. */
interface OwnedColumns extends IdColumns {
  readonly tenant: Tenant;
}

interface ModelColumns extends OwnedColumns {
  readonly incarnation: string;
  readonly base: string;
  /** A JSON text. */
  readonly labels: unknown;
  readonly servedVersion: number | undefined;
  readonly versionCount: number;
}

interface VersionColumns {
  readonly tenant: Tenant;
  readonly model: string;
  readonly job: string | undefined;
  readonly number: number;
  readonly blob: string;
  readonly evidence: string | undefined;
  readonly check: string;
}

interface EventColumns extends OwnedColumns {
  readonly job: string;
}

interface FileColumns extends OwnedColumns {
  readonly blob: string;
}

/** An entry of a job's metadata once more, by which the job is found; `sequence` is the job's. */
interface MetadataColumns {
  readonly tenant: Tenant;
  readonly key: string;
  readonly value: string;
  readonly sequence: number;
}

/** One row: what the mark beside the catalog is compared with. */
interface StateColumns {
  readonly id: string;
  readonly changeCount: number;
}

/** The columns that queries name; rows have more, those of their entities. */
export interface CatalogTables {
  readonly bases: IdColumns;
  readonly models: ModelColumns;
  readonly versions: VersionColumns;
  readonly jobs: OwnedColumns;
  readonly jobMetadata: MetadataColumns;
  readonly events: EventColumns;
  readonly files: FileColumns;
  readonly state: StateColumns;
}

export const currentSchema = migrations.length;
/** The first schema with checks and counted changes. */
export const countingSchema = 3;

/**
 * Brings the tables from schema `found` up to date, in one transaction: whatever happens, the file
 * is the old one or the new one. Rows that are changed get new checks, but for those that had
 * rotted: they keep the one that is wrong.
 */
export async function migrate(database: Kysely<CatalogTables>, found: number): Promise<void> {
  if (found === currentSchema) return;
  await database.transaction().execute(async (transaction) => {
    for (const [number, statements] of migrations.entries()) {
      if (number < found) continue;
      for (const table of rewritten.get(number) ?? []) {
        // Until the end of the migration a row has a check only if it was made before it.
        if (found >= countingSchema) await removeSoundChecks(transaction, table);
      }
      for (const statement of statements) await sql.raw(statement).execute(transaction);
    }
    for (const table of rowTables) await addChecks(transaction, table);
    await sql.raw(`PRAGMA user_version = ${currentSchema}`).execute(transaction);
  });
}

async function removeSoundChecks(
  transaction: Transaction<CatalogTables>,
  table: (typeof rowTables)[number],
): Promise<void> {
  for await (const { place, record } of rawRows(transaction, table)) {
    if (!isSound(record, table)) continue;
    const update = sql`UPDATE ${sql.table(table)} SET "check" = NULL WHERE rowid = ${place}`;
    await update.execute(transaction);
  }
}

async function addChecks(
  transaction: Transaction<CatalogTables>,
  table: (typeof rowTables)[number],
): Promise<void> {
  for await (const { place, record } of rawRows(transaction, table, `"check" IS NULL`)) {
    const check = checkOf(table, Object.entries(record));
    const update = sql`UPDATE ${sql.table(table)} SET "check" = ${check} WHERE rowid = ${place}`;
    await update.execute(transaction);
  }
}
