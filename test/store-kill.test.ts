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

/** What the writers have said of models, over all rounds. */
const known = {
  acknowledged: new Set<string>(),
  /** What a list has shown is there, too, unless it was deleted since. */
  seen: new Set<string>(),
  /** Their deletion was under way: they may be there or not. */
  doubtful: new Set<string>(),
  deleted: new Set<string>(),
};

function note(line: string): void {
  const [first = "", second] = line.split(" ");
  if (second === undefined) known.acknowledged.add(first);
  else if (first === "seen") known.seen.add(second);
  else if (first === "deleting") known.doubtful.add(second);
  else known.deleted.add(second);
}

/** Runs the writer until it has acknowledged so many, kills it, and notes all that it printed. */
async function runAndKill(round: number, acknowledgedCount: number): Promise<void> {
  const writer = join(import.meta.dirname, "exam-store-writer.js");
  const child = spawn(process.execPath, [writer, folder, String(round), "more"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const enough = known.acknowledged.size + acknowledgedCount;
  for await (const line of createInterface({ input: child.stdout })) {
    note(line);
    if (known.acknowledged.size >= enough) child.kill("SIGKILL");
  }
  assert.ok(known.acknowledged.size >= enough, "the writer ended by itself");
}

/** Every acknowledged version is served with its blob; every visible one is complete. */
async function check(store: Store): Promise<void> {
  const { acknowledged, seen, doubtful, deleted } = known;
  const { models, versions } = store.catalog.of(operator);
  const rows = await models.list({ limit: 1_000_000 });
  const ids = new Set(rows.map(({ id }) => id));
  for (const id of [...acknowledged, ...seen])
    assert.ok(ids.has(id) || doubtful.has(id), `"${id}" is lost`);
  for (const id of deleted) assert.ok(!ids.has(id), `"${id}" has been deleted and is there`);
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
  for (let round = 0; round < killCount; round++) {
    await runAndKill(round, 1 + random.integer(40));
    // The killed process left no lock.
    const store = await openFileStore(folder);
    assert.deepEqual(readdirSync(join(folder, "incoming")), []);
    await check(store);
    await store.close();
  }
  const { acknowledged, seen, deleted } = known;
  assert.ok(acknowledged.size > 100, `only ${acknowledged.size} versions were acknowledged`);
  assert.ok(seen.size > 50 && deleted.size > 10, `${seen.size} seen, ${deleted.size} deleted`);
});
