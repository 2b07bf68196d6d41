/**
 * A store as the first release wrote it: a real server answers from it as before, and a process
 * that is killed while it migrates leaves it whole.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { Client } from "../src/client/client.ts";
import { operator } from "../src/entities/caller.ts";
import { openFileStore } from "../src/storage/files/file-store.ts";
import { openSqlite } from "../src/storage/files/sqlite.ts";
import { realBaseFolder } from "./exam-real-base.ts";

const fixture = "test/fixtures/store-schema-1";
const folder = mkdtempSync(join(tmpdir(), "strata-migration-"));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

const modelCount = 20_000;

/** The released store with so many models more that its migration takes a while. */
function largeStore(): string {
  const path = join(folder, "large");
  cpSync(fixture, path, { recursive: true });
  const sqlite = openSqlite(join(path, "catalog.sqlite"));
  sqlite.exec(`
    WITH RECURSIVE "numbers" ("n") AS
      (SELECT 1 UNION ALL SELECT "n" + 1 FROM "numbers" WHERE "n" < ${modelCount})
    INSERT INTO "models" ("id", "base", "task", "labels", "servedVersion", "createdAt")
    SELECT 'copy-' || "n", "base", "task", "labels", 1, "createdAt" FROM "numbers"
      JOIN "models" ON "id" = 'mood';
    INSERT INTO "versions" SELECT "models"."id", "number", "kind", "blob", "blobBytes", "rank",
      "pooling", "precision", "metrics", "job", "versions"."createdAt"
      FROM "models" JOIN "versions" ON "model" = 'mood' WHERE "models"."id" LIKE 'copy-%'`);
  sqlite.close();
  return path;
}

test("a process killed at any moment of a migration leaves a store that opens", async () => {
  const original = largeStore();
  const store = join(import.meta.dirname, "..", "src", "storage", "files", "file-store.js");
  const script = `import { openFileStore } from ${JSON.stringify(store)};
    console.log("opening"); await openFileStore(process.argv[1]); console.log("open");
    setInterval(() => {}, 1000);`;
  let killedBefore = 0;
  for (const delayMs of [0, 20, 60, 120, 200, 300, 450, 600, 900]) {
    const copy = join(folder, "copy");
    rmSync(copy, { recursive: true, force: true });
    cpSync(original, copy, { recursive: true });
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, copy], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    const told: string[] = [];
    child.stdout.on("data", (text) => told.push(String(text)));
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill("SIGKILL");
    await once(child, "exit");
    if (!told.join("").includes("open\n")) killedBefore += 1;
    const opened = await openFileStore(copy);
    assert.equal(
      await opened.catalog.of(operator).models.count(),
      modelCount + 2,
      `after ${delayMs} ms`,
    );
    const last = await opened.catalog.of(operator).models.get(`copy-${modelCount}`);
    assert.deepEqual(last?.labels, ["bad", "good"]);
    assert.equal(
      (
        await opened.catalog
          .of(operator)
          .versions.list(last?.incarnation ?? "vplm-", { limit: 100 })
      ).length,
      1,
    );
    await opened.close();
    // The copy that is kept is the whole old catalog.
    const kept = openSqlite(join(copy, "catalog-schema1.sqlite"));
    assert.deepEqual(kept.prepare(`SELECT count(*) AS "count" FROM "models"`).get(), {
      count: modelCount + 2,
    });
    assert.equal(kept.pragma("user_version", { simple: true }), 1);
    kept.close();
    assert.equal(existsSync(join(copy, "catalog-schema1.sqlite.part")), false);
  }
  assert.ok(killedBefore >= 2, `only ${killedBefore} were killed in time`);
});

interface Answered {
  readonly model: string;
  readonly text: string;
  readonly scores: Readonly<Record<string, number>>;
}

test("a server answers from a released store as the released one did", async (context) => {
  const base = await realBaseFolder(context);
  if (base === undefined) return;
  cpSync(fixture, join(folder, "home", "store"), { recursive: true });
  const program = join(import.meta.dirname, "..", "src", "main", "main.js");
  const words = ["serve", "--port", "0", "--json", "--precision", "fp32"];
  const server = spawn(process.execPath, [program, ...words], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      STRATA_HOME: join(folder, "home"),
      STRATA_CACHE: dirname(dirname(base)),
      STRATA_API_KEY: "sk-test",
    },
  });
  children.push(server);
  const [line] = (await once(createInterface({ input: server.stdout }), "line")) as [string]; // so
  const { url } = JSON.parse(line) as { url: string }; // What serve prints.
  const client = new Client({ baseUrl: url, apiKey: "sk-test" });
  const written: unknown = JSON.parse(readFileSync(`${fixture}.json`, "utf8"));
  const { answers } = written as { readonly answers: readonly Answered[] }; // the fixture's form
  for (const { model, text, scores } of answers) {
    const [row] = (await client.classify({ model, input: [text] })).data;
    for (const { label, score } of row?.scores ?? [])
      assert.ok(Math.abs(score - (scores[label] ?? NaN)) < 1e-4, `${model}: ${text}: ${score}`);
    assert.equal(row?.scores.length, Object.keys(scores).length);
  }
  const [job] = (await client.call("GET /v1/fine_tuning/jobs", { query: {} })).data;
  assert.equal(job?.fine_tuned_model, "tickets");
  server.kill("SIGTERM");
  await once(server, "exit");
});
