/**
 * The catalog's tables and how older files become them. `sequence` is the order of creation; lists
 * and maps are JSON texts; names of columns are those of the entities. No statement here is special
 * to SQLite but for the automatic numbers, the id that is drawn, what is read from a JSON text, and
 * the version that the file remembers.
 */
import { type Generated, type Kysely, sql, type Transaction } from "kysely";
import { rawRows } from "./raw-rows.ts";
import { checkOf, isSound } from "./records.ts";

interface IdColumns {
  readonly sequence: Generated<number>;
  readonly id: string;
  readonly check: string;
}

interface ModelColumns extends IdColumns {
  readonly incarnation: string;
  readonly base: string;
  /** A JSON text. */
  readonly labels: unknown;
  readonly servedVersion: number | undefined;
  readonly versionCount: number;
}

interface VersionColumns {
  readonly model: string;
  readonly number: number;
  readonly blob: string;
  readonly evidence: string | undefined;
  readonly check: string;
}

interface EventColumns extends IdColumns {
  readonly job: string;
}

interface FileColumns extends IdColumns {
  readonly blob: string;
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
  readonly jobs: IdColumns;
  readonly events: EventColumns;
  readonly files: FileColumns;
  readonly state: StateColumns;
}

export const rowTables = ["bases", "models", "versions", "jobs", "events", "files"] as const;

const sequenced = `"sequence" INTEGER PRIMARY KEY AUTOINCREMENT, "id" TEXT NOT NULL UNIQUE`;

/** Migration n leads from version n to n + 1. What is released here is never edited again. */
const migrations: readonly (readonly string[])[] = [
  [
    `CREATE TABLE "bases" (${sequenced}, "config" TEXT NOT NULL, "pooling" TEXT NOT NULL,
      "tokensMax" INTEGER NOT NULL, "digest" TEXT NOT NULL, "source" TEXT NOT NULL,
      "createdAt" BIGINT NOT NULL)`,
    `CREATE TABLE "models" (${sequenced}, "base" TEXT NOT NULL, "task" TEXT NOT NULL,
      "labels" TEXT NOT NULL, "servedVersion" INTEGER, "createdAt" BIGINT NOT NULL)`,
    `CREATE TABLE "versions" (
      "model" TEXT NOT NULL REFERENCES "models" ("id") ON DELETE CASCADE,
      "number" INTEGER NOT NULL, "kind" TEXT NOT NULL, "blob" TEXT NOT NULL,
      "blobBytes" BIGINT NOT NULL, "rank" INTEGER NOT NULL, "pooling" TEXT NOT NULL,
      "precision" TEXT NOT NULL, "metrics" TEXT NOT NULL, "job" TEXT, "createdAt" BIGINT NOT NULL,
      PRIMARY KEY ("model", "number"))`,
    `CREATE INDEX "versionsByBlob" ON "versions" ("blob")`,
    `CREATE TABLE "jobs" (${sequenced}, "requestedModel" TEXT NOT NULL, "model" TEXT,
      "suffix" TEXT, "trainingFile" TEXT NOT NULL, "validationFile" TEXT,
      "hyperparameters" TEXT NOT NULL, "seed" BIGINT NOT NULL, "metadata" TEXT NOT NULL,
      "status" TEXT NOT NULL, "error" TEXT, "trainedTokens" BIGINT, "createdAt" BIGINT NOT NULL,
      "finishedAt" BIGINT)`,
    `CREATE TABLE "events" (${sequenced},
      "job" TEXT NOT NULL REFERENCES "jobs" ("id") ON DELETE CASCADE, "level" TEXT NOT NULL,
      "type" TEXT NOT NULL, "message" TEXT NOT NULL, "values" TEXT NOT NULL,
      "createdAt" BIGINT NOT NULL)`,
    `CREATE INDEX "eventsByJob" ON "events" ("job", "sequence")`,
    `CREATE TABLE "files" (${sequenced}, "filename" TEXT NOT NULL, "purpose" TEXT NOT NULL,
      "bytes" BIGINT NOT NULL, "blob" TEXT NOT NULL, "faultSummary" TEXT,
      "createdAt" BIGINT NOT NULL)`,
    `CREATE INDEX "filesByBlob" ON "files" ("blob")`,
  ],
  // Models get incarnations, to which versions and jobs hold on; versions get their own labels.
  [
    `ALTER TABLE "models" ADD COLUMN "incarnation" TEXT NOT NULL DEFAULT ''`,
    `ALTER TABLE "models" ADD COLUMN "versionCount" INTEGER NOT NULL DEFAULT 0`,
    `UPDATE "models" SET "incarnation" = 'vplm-' || "sequence", "versionCount" = COALESCE(
      (SELECT MAX("number") FROM "versions" WHERE "versions"."model" = "models"."id"), 0)`,
    `CREATE UNIQUE INDEX "modelsByIncarnation" ON "models" ("incarnation")`,
    `CREATE TABLE "versions2" (
      "model" TEXT NOT NULL REFERENCES "models" ("incarnation") ON DELETE CASCADE,
      "number" INTEGER NOT NULL, "kind" TEXT NOT NULL, "labels" TEXT NOT NULL,
      "blob" TEXT NOT NULL, "blobBytes" BIGINT NOT NULL, "shapes" TEXT, "rank" INTEGER NOT NULL,
      "pooling" TEXT NOT NULL, "precision" TEXT NOT NULL, "metrics" TEXT NOT NULL,
      "evidence" TEXT, "verdict" TEXT, "job" TEXT, "createdAt" BIGINT NOT NULL,
      PRIMARY KEY ("model", "number"))`,
    `INSERT INTO "versions2" SELECT "models"."incarnation", "number", "kind", "labels", "blob",
      "blobBytes", NULL, "rank", "pooling", "precision", "metrics", NULL, NULL, "job",
      "versions"."createdAt" FROM "versions" JOIN "models" ON "models"."id" = "versions"."model"`,
    `DROP TABLE "versions"`,
    `ALTER TABLE "versions2" RENAME TO "versions"`,
    `CREATE INDEX "versionsByBlob" ON "versions" ("blob")`,
    `CREATE INDEX "versionsByEvidence" ON "versions" ("evidence")`,
    `ALTER TABLE "jobs" ADD COLUMN "incarnation" TEXT NOT NULL DEFAULT ''`,
    `UPDATE "jobs" SET "model" = "requestedModel"
      WHERE "model" IS NULL AND "requestedModel" NOT IN (SELECT "id" FROM "bases")`,
    // A model that is younger than a job that asked for it is a later one of the name.
    `UPDATE "jobs" SET "incarnation" = COALESCE(
      (SELECT "models"."incarnation" FROM "models" WHERE "models"."id" = "jobs"."model"
        AND ("jobs"."model" <> "jobs"."requestedModel"
          OR "models"."createdAt" <= "jobs"."createdAt")),
      'vplm-' || substr("jobs"."id", 7))`,
  ],
  // Rows get checks, and the catalog counts its changes.
  [
    ...rowTables.map((table) => `ALTER TABLE "${table}" ADD COLUMN "check" TEXT`),
    `CREATE TABLE "state" ("id" TEXT NOT NULL, "changeCount" BIGINT NOT NULL)`,
    `INSERT INTO "state" VALUES (lower(hex(randomblob(16))), 0)`,
  ],
  // Versions say what they were fitted for and on. All adapters were bottlenecks in all upper
  // layers of a dense base, and all tasks were of texts.
  [
    `ALTER TABLE "versions" ADD COLUMN "task" TEXT NOT NULL DEFAULT 'text-classification'`,
    `ALTER TABLE "versions" ADD COLUMN "adapter" TEXT`,
    `ALTER TABLE "versions" ADD COLUMN "form" TEXT NOT NULL DEFAULT 'dense'`,
    `ALTER TABLE "versions" ADD COLUMN "domain" TEXT`,
    `CREATE TEMP TABLE "upperLayers" AS
      WITH RECURSIVE "runs" ("base", "last", "layer", "list") AS (
        SELECT "id", "config" ->> 'layerCount' - 1, "config" ->> 'shallowLayerCount',
          "config" ->> 'shallowLayerCount' FROM "bases"
        UNION ALL SELECT "base", "last", "layer" + 1, "list" || ',' || ("layer" + 1)
          FROM "runs" WHERE "layer" < "last")
      SELECT "incarnation", "list" FROM "runs" JOIN "models" USING ("base") WHERE "layer" = "last"`,
    `UPDATE "versions" SET "adapter" = '{"kind":"bottleneck","rank":' || "rank" || ',"layers":[' ||
      (SELECT "list" FROM "upperLayers" WHERE "incarnation" = "versions"."model") || ']}'
      WHERE "rank" > 0`,
    `DROP TABLE "upperLayers"`,
    `ALTER TABLE "versions" DROP COLUMN "rank"`,
  ],
];

/** Tables of which migration n changes rows that have checks, by n. */
const rewritten: ReadonlyMap<number, readonly (typeof rowTables)[number][]> = new Map([
  [3, ["versions"]],
]);

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
