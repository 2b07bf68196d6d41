/**
 * How the catalog's tables came to be, statement by statement. `sequence` is the order of creation;
 * lists and maps are JSON texts; names of columns are those of the entities. No statement here is
 * special to SQLite but for the automatic numbers, the id that is drawn, and what is read from a
 * JSON text.
 */

export const rowTables = ["bases", "models", "versions", "jobs", "events", "files"] as const;

const sequenced = `"sequence" INTEGER PRIMARY KEY AUTOINCREMENT, "id" TEXT NOT NULL UNIQUE`;

const owned = `"sequence" INTEGER PRIMARY KEY AUTOINCREMENT, "tenant" TEXT NOT NULL,
  "id" TEXT NOT NULL`;

/** The rows of a table in the one that takes its place, as the operator's. */
function copied(table: string, columns: readonly string[]): string {
  const names = columns.map((column) => `"${column}"`).join(", ");
  return `INSERT INTO "${table}2" ("tenant", ${names}) SELECT 'operator', ${names} FROM "${table}"`;
}

/** Migration n leads from version n to n + 1. What is released here is never edited again. */
export const migrations: readonly (readonly string[])[] = [
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
  // Rows are a tenant's, and their names its own; what there was is the operator's. New tables take
  // the place of the old ones, which are dropped last: what refers to a row goes with it.
  [
    `CREATE TABLE "models2" (${owned}, "base" TEXT NOT NULL, "task" TEXT NOT NULL,
      "labels" TEXT NOT NULL, "servedVersion" INTEGER, "createdAt" BIGINT NOT NULL,
      "incarnation" TEXT NOT NULL, "versionCount" INTEGER NOT NULL, "check" TEXT,
      UNIQUE ("id", "tenant"), UNIQUE ("incarnation", "tenant"))`,
    `CREATE TABLE "versions2" ("tenant" TEXT NOT NULL, "model" TEXT NOT NULL,
      "number" INTEGER NOT NULL, "kind" TEXT NOT NULL, "labels" TEXT NOT NULL,
      "blob" TEXT NOT NULL, "blobBytes" BIGINT NOT NULL, "shapes" TEXT, "pooling" TEXT NOT NULL,
      "precision" TEXT NOT NULL, "metrics" TEXT NOT NULL, "evidence" TEXT, "verdict" TEXT,
      "job" TEXT, "createdAt" BIGINT NOT NULL, "check" TEXT, "task" TEXT NOT NULL, "adapter" TEXT,
      "form" TEXT NOT NULL, "domain" TEXT, PRIMARY KEY ("model", "number", "tenant"),
      FOREIGN KEY ("model", "tenant") REFERENCES "models2" ("incarnation", "tenant")
        ON DELETE CASCADE)`,
    `CREATE TABLE "jobs2" (${owned}, "requestedModel" TEXT NOT NULL, "model" TEXT, "suffix" TEXT,
      "trainingFile" TEXT NOT NULL, "validationFile" TEXT, "hyperparameters" TEXT NOT NULL,
      "seed" BIGINT NOT NULL, "metadata" TEXT NOT NULL, "status" TEXT NOT NULL, "error" TEXT,
      "trainedTokens" BIGINT, "createdAt" BIGINT NOT NULL, "finishedAt" BIGINT,
      "incarnation" TEXT NOT NULL, "check" TEXT, UNIQUE ("id", "tenant"))`,
    `CREATE TABLE "events2" (${owned}, "job" TEXT NOT NULL, "level" TEXT NOT NULL,
      "type" TEXT NOT NULL, "message" TEXT NOT NULL, "values" TEXT NOT NULL,
      "createdAt" BIGINT NOT NULL, "check" TEXT, UNIQUE ("id", "tenant"),
      FOREIGN KEY ("job", "tenant") REFERENCES "jobs2" ("id", "tenant") ON DELETE CASCADE)`,
    `CREATE TABLE "files2" (${owned}, "filename" TEXT NOT NULL, "purpose" TEXT NOT NULL,
      "bytes" BIGINT NOT NULL, "blob" TEXT NOT NULL, "faultSummary" TEXT,
      "createdAt" BIGINT NOT NULL, "check" TEXT, UNIQUE ("id", "tenant"))`,
    copied("models", [
      ...["sequence", "id", "base", "task", "labels", "servedVersion", "createdAt"],
      ...["incarnation", "versionCount", "check"],
    ]),
    copied("versions", [
      ...["model", "number", "kind", "labels", "blob", "blobBytes", "shapes", "pooling"],
      ...["precision", "metrics", "evidence", "verdict", "job", "createdAt", "check"],
      ...["task", "adapter", "form", "domain"],
    ]),
    copied("jobs", [
      ...["sequence", "id", "requestedModel", "model", "suffix", "trainingFile", "validationFile"],
      ...["hyperparameters", "seed", "metadata", "status", "error", "trainedTokens", "createdAt"],
      ...["finishedAt", "incarnation", "check"],
    ]),
    copied("events", [
      ...["sequence", "id", "job", "level", "type", "message", "values", "createdAt", "check"],
    ]),
    copied("files", [
      ...["sequence", "id", "filename", "purpose", "bytes", "blob", "faultSummary", "createdAt"],
      "check",
    ]),
    ...["versions", "models", "events", "jobs", "files"].flatMap((table) => [
      `DROP TABLE "${table}"`,
      `ALTER TABLE "${table}2" RENAME TO "${table}"`,
    ]),
    `CREATE INDEX "modelsByTenant" ON "models" ("tenant", "sequence")`,
    `CREATE INDEX "modelsByBase" ON "models" ("base")`,
    `CREATE INDEX "versionsByBlob" ON "versions" ("blob")`,
    `CREATE INDEX "versionsByEvidence" ON "versions" ("evidence")`,
    `CREATE INDEX "versionsByJob" ON "versions" ("model", "job")`,
    `CREATE INDEX "jobsByTenant" ON "jobs" ("tenant", "sequence")`,
    `CREATE INDEX "eventsByJob" ON "events" ("job", "tenant", "sequence")`,
    `CREATE INDEX "filesByTenant" ON "files" ("tenant", "sequence")`,
    `CREATE INDEX "filesByPurpose" ON "files" ("tenant", "purpose", "sequence")`,
    `CREATE INDEX "filesByBlob" ON "files" ("blob")`,
    // Entries once more, in order of creation of their jobs: what is looked for by them is found.
    `CREATE TABLE "jobMetadata" ("tenant" TEXT NOT NULL, "key" TEXT NOT NULL,
      "value" TEXT NOT NULL, "sequence" INTEGER NOT NULL
        REFERENCES "jobs" ("sequence") ON DELETE CASCADE,
      PRIMARY KEY ("tenant", "key", "value", "sequence"))`,
    `CREATE INDEX "jobMetadataByJob" ON "jobMetadata" ("sequence")`,
    // A row that has rotted may hold anything.
    `INSERT INTO "jobMetadata" SELECT 'operator', "entry"."key", "entry"."value", "sequence"
      FROM "jobs", json_each(CASE WHEN json_valid("metadata") THEN "metadata" ELSE '{}' END)
        AS "entry" WHERE "entry"."type" = 'text'`,
  ],
  // Whether a version was served when it was published stood in the first words of its verdict.
  [
    `ALTER TABLE "versions" ADD COLUMN "outcome" TEXT`,
    `UPDATE "versions" SET "outcome" = CASE WHEN substr("verdict", 1, 7) = 'Served:' THEN 'served'
      WHEN substr("verdict", 1, 11) = 'Not served:' THEN 'not_served' END`,
  ],
  // Files say which task their rows are examples of; older ones are read when they are used.
  [`ALTER TABLE "files" ADD COLUMN "task" TEXT`],
];

/** Tables of which migration n changes rows that have checks, by n. */
export const rewritten: ReadonlyMap<number, readonly (typeof rowTables)[number][]> = new Map([
  [3, ["versions"]],
  [4, ["models", "versions", "jobs", "events", "files"]],
  [5, ["versions"]],
]);
