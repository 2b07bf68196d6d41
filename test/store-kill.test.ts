/**
 * A real process writes versions with their blobs and is killed at a random moment: whatever it
 * acknowledged is there and intact after the next opening, and nothing is half visible.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { operator } from "../src/entities/caller.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import { openFileStore } from "../src/storage/files/file-store.ts";
import type { Store } from "../src/storage/storage.ts";

const killCount = 10;
const seed = 20_260_101;
const folder = mkdtempSync(join(tmpdir(), "strata-kill-"));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true });
});

/** Runs the writer until it has printed `lineCount` lines, kills it, and returns all it printed. */
async function runAndKill(round: number, lineCount: number): Promise<readonly string[]> {
  const writer = join(import.meta.dirname, "exam-store-writer.js");
  const child = spawn(process.execPath, [writer, folder, String(round)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === lineCount) child.kill("SIGKILL");
  }
  assert.ok(lines.length >= lineCount, `the writer ended by itself after ${lines.length} lines`);
  return lines;
}

/** Every acknowledged version is served with its blob; every visible one is complete. */
async function check(store: Store, acknowledged: ReadonlySet<string>): Promise<void> {
  const { models, versions } = store.catalog.of(operator);
  const rows = await models.list({ limit: 1_000_000 });
  const ids = new Set(rows.map(({ id }) => id));
  for (const id of acknowledged) assert.ok(ids.has(id), `"${id}" is lost`);
  for (const model of rows) {
    // A model that was created but has no version yet is a whole thing of its own.
    if (model.servedVersion === undefined && !acknowledged.has(model.id)) continue;
    const version = await versions.get(model.incarnation, model.servedVersion ?? 0);
    assert.ok(version, `"${model.id}" is half visible`);
    const bytes = await store.blobs.get(version.blob);
    assert.equal(bytes.length, version.blobBytes);
    assert.equal(Buffer.from(bytes.subarray(0, model.id.length)).toString(), model.id);
  }
  for await (const digest of store.blobs.list()) await store.blobs.get(digest);
}

test(`${killCount} kills lose nothing that was acknowledged (seed ${seed})`, async () => {
  const random = new SeededRandom(seed);
  const acknowledged = new Set<string>();
  for (let round = 0; round < killCount; round++) {
    const lines = await runAndKill(round, 1 + random.integer(40));
    for (const id of lines) acknowledged.add(id);
    // The killed process left no lock.
    const store = await openFileStore(folder);
    assert.deepEqual(readdirSync(join(folder, "incoming")), []);
    await check(store, acknowledged);
    await store.close();
  }
  assert.ok(acknowledged.size > 100, `only ${acknowledged.size} versions were acknowledged`);
});
