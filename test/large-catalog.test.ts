/** A catalog whose rows are more than a process can hold is migrated, swept and searched. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { openSqlite } from "../src/storage/files/sqlite.ts";

const folder = mkdtempSync(join(tmpdir(), "strata-large-"));
after(() => rmSync(folder, { recursive: true }));

const modelCount = 600;
/** The labels of all models together have 120 MB, those of their versions as many. */
const labels = JSON.stringify(
  Array.from({ length: 1_000 }, (_, index) => `${index}`.padStart(200, "-")),
);
const heapMegabytes = 96;

/** The released store with that many models of long labels more. */
function fillStore(): void {
  cpSync("test/fixtures/store-schema-1", folder, { recursive: true });
  const sqlite = openSqlite(join(folder, "catalog.sqlite"));
  sqlite.pragma("synchronous = OFF");
  const numbers = `WITH RECURSIVE "numbers" ("n") AS
    (SELECT 1 UNION ALL SELECT "n" + 1 FROM "numbers" WHERE "n" < ${modelCount})`;
  sqlite
    .prepare(
      `${numbers}
      INSERT INTO "models" ("id", "base", "task", "labels", "servedVersion", "createdAt")
      SELECT 'copy-' || "n", "base", "task", ?, 1, "createdAt" FROM "numbers"
        JOIN "models" ON "id" = 'mood'`,
    )
    .run(labels);
  sqlite.exec(`INSERT INTO "versions" SELECT "models"."id", "number", "kind", "blob", "blobBytes",
    "rank", "pooling", "precision", "metrics", "job", "versions"."createdAt" FROM "models"
    JOIN "versions" ON "versions"."model" = 'mood' WHERE "models"."id" LIKE 'copy-%'`);
  sqlite.close();
}

/** Runs the lines in a process of little memory, with the store open; what they print. */
function inLittleMemory(lines: string): string {
  const importOf = (name: string, path: string): string =>
    `import { ${name} } from ${JSON.stringify(pathToFileURL(join("dist/src", path)).href)};`;
  const program = `${importOf("openFileStore", "storage/files/file-store.js")}
    const store = await openFileStore(${JSON.stringify(folder)});
    ${lines}
    await store.close();`;
  const heap = `--max-old-space-size=${heapMegabytes}`;
  const flags = [heap, "--input-type=module", "--eval", program];
  const child = spawnSync(process.execPath, flags, { encoding: "utf8" });
  assert.equal(child.status, 0, child.stderr.slice(-2_000));
  return child.stdout.trim();
}

test(`${modelCount} models of long labels open in ${heapMegabytes} MB`, () => {
  fillStore();
  assert.equal(inLittleMemory("console.log(await store.catalog.system.countModels());"), "602");
  const swept = inLittleMemory("console.log(JSON.stringify(await store.keeper.sweep(0)));");
  assert.deepEqual(JSON.parse(swept), { quarantinedCount: 0, restoredCount: 0, removedCount: 0 });
  assert.equal(
    inLittleMemory("console.log(await store.catalog.system.modelOn('nobody'));"),
    "undefined",
  );
});
