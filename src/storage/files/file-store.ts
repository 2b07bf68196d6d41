/**
 * The store in a folder: blobs as files, the catalog in SQLite, and a lock that keeps a second
 * process out. The order of opening matters: nothing is touched before the lock is held.
 */
import { join, resolve } from "node:path";
import { CloseStack } from "../../foundation/close-stack.ts";
import { limits } from "../../foundation/limits.ts";
import { type Log, silentTelemetry } from "../../foundation/telemetry.ts";
import { BlobKeeper } from "../blob-keeper.ts";
import type { StoreDriver } from "../storage.ts";
import { openCatalog } from "./catalog-file.ts";
import { guardDisk, isDiskFull } from "./disk-errors.ts";
import { openFileBlobs } from "./file-blobs.ts";
import { type FileOperations, nodeFiles } from "./file-operations.ts";
import { lockFolder } from "./folder-lock.ts";
import { Reserve } from "./reserve.ts";
import { sqlCatalog } from "./sql-catalog.ts";

export interface FileStoreOptions {
  /** The disk that blobs are written to; the machine's disk unless a test brings another one. */
  readonly files?: FileOperations;
  /** The log is told of faults that stop nobody; by default there is none. */
  readonly log?: Log;
  /** Space that is kept to make room with when the disk is full. */
  readonly reserveBytes?: number;
}

/**
 * Opens the store in `folder` and makes it if there is none. CONFLICT when another process has it
 * open, UNSUPPORTED when SQLite cannot be loaded or a later Strata has written the catalog, CORRUPT
 * when the catalog is damaged or missing or has lost changes, UNAVAILABLE when the disk fails. A
 * disk that is full can be opened, with the space that was reserved for that.
 */
export async function openFileStore(
  folder: string,
  options: FileStoreOptions = {},
): Promise<StoreDriver> {
  const { files = nodeFiles, reserveBytes = limits.storeReserveBytes } = options;
  const path = resolve(folder);
  const action = `open store "${folder}"`;
  await guardDisk(action, async () => {
    await nodeFiles.makeFolder(path);
    await nodeFiles.syncFolder(join(path, ".."));
  });
  const unlock = lockFolder(path);
  try {
    const reserve = new Reserve(path, { files, bytes: reserveBytes });
    const parts = { files, reserve, log: options.log ?? silentTelemetry.log };
    return await guardDisk(action, async () => {
      await reserve.take();
      try {
        return await openParts(path, { ...parts, unlock });
      } catch (error) {
        if (!isDiskFull(error) || !(await reserve.spend())) throw error;
        return openParts(path, { ...parts, unlock });
      }
    });
  } catch (error) {
    unlock();
    throw error;
  }
}

interface StoreParts {
  readonly files: FileOperations;
  readonly reserve: Reserve;
  readonly log: Log;
  readonly unlock: () => void;
}

async function openParts(path: string, parts: StoreParts): Promise<StoreDriver> {
  const { log, reserve, unlock } = parts;
  const { blobs, quarantine } = await openFileBlobs(path, parts);
  const hasBlobs = (await hasAny(blobs.list())) || (await hasAny(quarantine.list()));
  const { database, reads, mark } = await openCatalog(path, { hasBlobs, log });
  const catalog = sqlCatalog({ ...parts, database, reads, mark });
  const opened = new CloseStack();
  opened.add(async () => unlock());
  // The next opening may find the disk full.
  opened.add(async () => void (await reserve.take().catch(() => {})));
  opened.add(async () => mark.close());
  opened.add(() => database.destroy());
  opened.add(() => reads.destroy());
  return {
    blobs,
    catalog,
    quarantine,
    keeper: new BlobKeeper({ blobs, quarantine, catalog }),
    close: () => opened.close(),
  };
}

async function hasAny(items: AsyncIterable<unknown>): Promise<boolean> {
  for await (const _ of items) return true;
  return false;
}
