/**
 * The store in a folder: blobs as files, the catalog in SQLite, and a lock that keeps a second
 * process out. The order of opening matters: nothing is touched before the lock is held.
 */
import { join, resolve } from "node:path";
import { Kysely, SqliteDialect } from "kysely";
import { wrapError } from "../../foundation/errors.ts";
import { BlobHolds } from "../blob-holds.ts";
import type { Store } from "../storage.ts";
import { openFileBlobs } from "./file-blobs.ts";
import { type FileOperations, nodeFiles } from "./file-operations.ts";
import { lockFolder } from "./folder-lock.ts";
import { type CatalogTables, migrate } from "./schema.ts";
import { sqlCatalog } from "./sql-catalog.ts";
import { openSqlite } from "./sqlite.ts";

export interface FileStoreOptions {
  /** Where blobs are written; the machine's disk unless a test brings another one. */
  readonly files?: FileOperations;
}

/**
 * Opens the store in `folder` and makes it if there is none. CONFLICT when another process has it
 * open, UNSUPPORTED when SQLite cannot be loaded or a later Strata has written the catalog,
 * UNAVAILABLE when the disk fails.
 */
export async function openFileStore(
  folder: string,
  options: FileStoreOptions = {},
): Promise<Store> {
  const path = resolve(folder);
  try {
    await nodeFiles.makeFolder(path);
    await nodeFiles.syncFolder(join(path, ".."));
  } catch (error) {
    throw wrapError(error, "UNAVAILABLE", `Cannot open store "${folder}"`);
  }
  const unlock = lockFolder(path);
  try {
    const blobs = await openFileBlobs(path, options.files ?? nodeFiles);
    const database = await openCatalog(join(path, "catalog.sqlite"));
    await nodeFiles.syncFolder(path);
    const catalog = sqlCatalog(database);
    return {
      blobs,
      catalog,
      holds: new BlobHolds(blobs, catalog),
      async close() {
        await database.destroy();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw wrapError(error, "UNAVAILABLE", `Cannot open store "${folder}"`);
  }
}

async function openCatalog(path: string): Promise<Kysely<CatalogTables>> {
  const sqlite = openSqlite(path);
  try {
    sqlite.pragma("journal_mode = WAL");
    // A commit is on the disk before it is answered.
    sqlite.pragma("synchronous = FULL");
    sqlite.pragma("foreign_keys = ON");
    const database = new Kysely<CatalogTables>({
      dialect: new SqliteDialect({ database: sqlite }),
    });
    await migrate(database);
    return database;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}
