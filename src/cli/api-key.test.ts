/** Checks that a key is stored once and whole, whatever a crash or another process has left. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemIds } from "../foundation/random.ts";
import { loadOrCreateApiKey, readApiKey } from "./api-key.ts";

async function inFolder(work: (home: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "strata-key-"));
  try {
    await work(join(folder, "home"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("processes that start at once come to the same key, and nothing else is left", () =>
  inFolder(async (home) => {
    const keys = await Promise.all(
      Array.from({ length: 8 }, () => loadOrCreateApiKey(home, systemIds)),
    );
    assert.equal(new Set(keys).size, 1);
    assert.equal(await readApiKey(home), keys[0]);
    assert.deepEqual(await readdir(home), ["api-key"]);
    assert.equal((await stat(join(home, "api-key"))).mode & 0o777, 0o600);
  }));

test("an empty file, as a crash may leave one, is replaced", () =>
  inFolder(async (home) => {
    await loadOrCreateApiKey(home, systemIds);
    await writeFile(join(home, "api-key"), "");
    const key = await loadOrCreateApiKey(home, systemIds);
    assert.match(key, /^sk-strata-/);
    assert.equal(await readApiKey(home), key);
  }));
