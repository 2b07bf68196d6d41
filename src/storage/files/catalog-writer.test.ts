/** A change is made once, whatever becomes of the mark beside the catalog. */
import assert from "node:assert/strict";
import { closeSync, existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { operator } from "../../entities/caller.ts";
import { silentTelemetry } from "../../foundation/telemetry.ts";
import { exampleModel } from "../conformance.ts";
import { openCatalog } from "./catalog-file.ts";
import { CommitMark, readMark } from "./commit-mark.ts";
import { nodeFiles } from "./file-operations.ts";
import { openFileStore } from "./file-store.ts";
import { Reserve } from "./reserve.ts";
import { sqlCatalog } from "./sql-catalog.ts";

const folders: string[] = [];
const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "strata-writer-"));
  folders.push(folder);
  return folder;
};
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const { log } = silentTelemetry;
/** Linux tells here which files this process has open. */
const descriptors = "/proc/self/fd";

/** Numbers of open files whose path ends so. */
function openFiles(end: string): readonly number[] {
  return readdirSync(descriptors)
    .map(Number)
    .filter((file) => {
      try {
        return readlinkSync(join(descriptors, String(file))).endsWith(end);
      } catch {
        return false; // The listing itself is closed by now.
      }
    });
}

test("a change whose mark finds the disk full is not made again", async () => {
  const folder = newFolder();
  const { database, mark } = await openCatalog(folder, { hasBlobs: false, log });
  const reserve = new Reserve(folder, { files: nodeFiles, bytes: 4096 });
  await reserve.take();
  let isFull = false;
  const narrow = {
    advance(changeCount: number): void {
      if (isFull && existsSync(join(folder, "reserve")))
        throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      mark.advance(changeCount);
    },
  };
  const catalog = sqlCatalog({ database, reads: database, mark: narrow, reserve, log });
  const { models } = catalog.of(operator);
  await models.insert(exampleModel("a"));
  isFull = true;
  assert.equal(await models.delete("a"), true);
  assert.equal(existsSync(join(folder, "reserve")), false);
  const state = await database.selectFrom("state").selectAll().executeTakeFirstOrThrow();
  assert.equal(state.changeCount, 2);
  assert.deepEqual(readMark(join(folder, "catalog.mark")), state);
  await database.destroy();
  mark.close();
});

test("a store whose mark cannot be closed lets go of its folder", async (context) => {
  if (!existsSync(descriptors)) return context.skip(`there is no ${descriptors} here`);
  const folder = newFolder();
  const store = await openFileStore(folder, { reserveBytes: 0 });
  const [file] = openFiles(join(folder, "catalog.mark"));
  assert.ok(file !== undefined);
  closeSync(file);
  await assert.rejects(store.close(), { code: "EBADF" });
  await (await openFileStore(folder, { reserveBytes: 0 })).close();
});

test("a mark that cannot be written is not left open", (context) => {
  if (!existsSync("/dev/full")) return context.skip("there is no /dev/full here");
  const state = { id: "a", changeCount: 1 };
  assert.throws(() => new CommitMark("/dev/full", state), { code: "ENOSPC" });
  assert.deepEqual(openFiles("/dev/full"), []);
});
