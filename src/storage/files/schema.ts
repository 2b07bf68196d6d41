/**
 * The catalog's tables and how older files become them. `sequence` is the order of creation; lists
 * and maps are JSON texts; names of columns are those of the entities. No statement here is special
 * to SQLite but for the automatic number and the version that the file remembers.
 */
import { type Generated, type Kysely, sql } from "kysely";
import { StrataError } from "../../foundation/errors.ts";

interface IdColumns {
  readonly sequence: Generated<number>;
  readonly id: string;
}

interface ModelColumns extends IdColumns {
  readonly incarnation: string;
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
}

interface EventColumns extends IdColumns {
  readonly job: string;
}

interface FileColumns extends IdColumns {
  readonly blob: string;
}

/** The columns that queries name; rows have more, those of their entities. */
export interface CatalogTables {
  readonly bases: IdColumns;
  readonly models: ModelColumns;
  readonly versions: VersionColumns;
  readonly jobs: IdColumns;
  readonly events: EventColumns;
  readonly files: FileColumns;
}

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
];

/** Brings the tables up to date; UNSUPPORTED when a later Strata has written them. */
export async function migrate(database: Kysely<CatalogTables>): Promise<void> {
  const { rows } = await sql<{ user_version: number }>`PRAGMA user_version`.execute(database);
  const found = rows[0]?.user_version ?? 0;
  if (found > migrations.length) {
    const state = `it has schema ${found}, this program knows ${migrations.length}`;
    throw new StrataError("UNSUPPORTED", `Cannot open catalog: ${state}; use a later Strata`);
  }
  for (const [version, statements] of migrations.entries()) {
    if (version < found) continue;
    await database.transaction().execute(async (transaction) => {
      for (const statement of statements) await sql.raw(statement).execute(transaction);
      await sql.raw(`PRAGMA user_version = ${version + 1}`).execute(transaction);
    });
  }
}
