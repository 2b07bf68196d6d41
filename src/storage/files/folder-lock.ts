/**
 * One process per folder. The lock is SQLite's on a file of its own, which the operating system
 * drops when the process dies, however it dies; the file `owner` only serves the message.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StrataError, wrapError } from "../../foundation/errors.ts";
import { openSqlite, sqliteCode } from "./sqlite.ts";

/** Locks the folder until the returned function is called; CONFLICT when another one has it. */
export function lockFolder(folder: string): () => void {
  const ownerPath = join(folder, "owner");
  const lock = openSqlite(join(folder, "lock"));
  try {
    // A journal would need space on a disk that is full.
    lock.pragma("journal_mode = MEMORY");
    lock.exec("BEGIN EXCLUSIVE");
    tellOwner(ownerPath);
  } catch (error) {
    lock.close();
    if (sqliteCode(error) === "SQLITE_NOTADB") {
      const state = `the file "lock" is damaged; it holds nothing: delete it`;
      throw new StrataError("CORRUPT", `Cannot open store "${folder}": ${state}`);
    }
    if (!sqliteCode(error).startsWith("SQLITE_BUSY"))
      throw wrapError(error, "UNAVAILABLE", `Cannot lock "${folder}"`);
    const owner = `process ${ownerOf(ownerPath)} has it open, most likely a "strata serve"`;
    const state = `${owner}, and one at a time may write there; stop that one first`;
    throw new StrataError("CONFLICT", `Cannot open store "${folder}": ${state}`);
  }
  return () => lock.close();
}

/** A full disk, or a file that is not ours, keeps nobody from serving. */
function tellOwner(path: string): void {
  try {
    writeFileSync(path, String(process.pid));
  } catch {
    // The message alone will lack it.
  }
}

function ownerOf(path: string): string {
  try {
    const owner = readFileSync(path, "utf8");
    if (/^[0-9]+$/.test(owner)) return owner;
  } catch {
    // Then it is not known either.
  }
  return "(unknown)";
}
