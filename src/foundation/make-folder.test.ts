import assert from "node:assert/strict";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { makeFolder } from "./make-folder.ts";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "strata-make-folder-"));
});
after(() => rm(folder, { recursive: true }));

it("makes a folder and those above it, once, at once and again", async () => {
  const path = join(folder, "a", "b", "c");
  await Promise.all([makeFolder(path, 0o700), makeFolder(path, 0o700)]);
  await makeFolder(path);
  assert.ok((await stat(path)).isDirectory());
  if (process.platform !== "win32")
    assert.equal((await stat(join(folder, "a"))).mode & 0o777, 0o700);
});

it("makes none in the place of a file or below one", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  await assert.rejects(makeFolder(file), { code: "EEXIST" });
  await assert.rejects(makeFolder(join(file, "below")), { code: "EEXIST" });
});

it(
  "fails where the machine's folder takes none, and does not try for ever",
  { skip: process.platform !== "linux", timeout: 10_000 },
  () => assert.rejects(makeFolder("/proc/strata/store"), /'\/proc\/strata'/),
);
