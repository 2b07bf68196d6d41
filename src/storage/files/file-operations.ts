/**
 * The few things that the blobs ask of a file system, as a seam: production passes `nodeFiles`,
 * tests a disk that fails or forgets (`exam-faults.ts`). Only what was synced survives a power cut:
 * a file's content by `FileWriter.sync`, its name by `syncFolder` of the folder that holds it.
 */
import { link, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { makeFolder } from "../../foundation/make-folder.ts";

export interface FileOperations {
  /** Makes the folder and those above it, for their owner alone; one that exists is no error. */
  makeFolder(path: string): Promise<void>;
  /** Names in the folder, in no order. */
  list(path: string): Promise<readonly string[]>;
  /** Makes an empty file, or empties the one that is there. */
  create(path: string): Promise<FileWriter>;
  /** Undefined when there is no such file. */
  open(path: string): Promise<FileReader | undefined>;
  exists(path: string): Promise<boolean>;
  /** Replaces what has the new name. */
  rename(from: string, to: string): Promise<void>;
  /** Gives the file a second name; one that is taken stays as it is. */
  link(from: string, to: string): Promise<void>;
  /** Removing what is absent is no error. */
  remove(path: string): Promise<void>;
  /** How much more the disk of this folder takes. */
  freeBytes(path: string): Promise<number>;
  syncFolder(path: string): Promise<void>;
}

export interface FileReader {
  /** Length of the file when it was opened. */
  readonly bytes: number;
  /** Fills the buffer from where the last reading ended; returns how much, 0 at the end. */
  read(buffer: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export const nodeFiles: FileOperations = {
  makeFolder: (path) => makeFolder(path, 0o700),
  list: (path) => readdir(path),
  async create(path) {
    const file = await open(path, "w", 0o600);
    return {
      async write(bytes) {
        // A single call may write less than it was given.
        for (let offset = 0; offset < bytes.length;)
          offset += (await file.write(bytes, offset)).bytesWritten;
      },
      sync: () => file.datasync(),
      close: () => file.close(),
    };
  },
  async open(path) {
    const file = await open(path, "r").catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    if (file === undefined) return undefined;
    try {
      const { size: bytes } = await file.stat();
      return {
        bytes,
        read: async (buffer) => (await file.read(buffer)).bytesRead,
        close: () => file.close(),
      };
    } catch (error) {
      await file.close();
      throw error;
    }
  },
  async exists(path) {
    try {
      return (await stat(path)).isFile();
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  },
  rename: (from, to) => rename(from, to),
  async link(from, to) {
    try {
      await link(from, to);
    } catch (error) {
      const code = codeOf(error);
      if (code === "EEXIST") return;
      // Some file systems give a file one name only; what is lost is safety in a power cut.
      if (!["EPERM", "ENOTSUP", "ENOSYS", "EMLINK"].includes(code)) throw error;
      await rename(from, to);
    }
  },
  remove: (path) => rm(path, { force: true }),
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
  async syncFolder(path) {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
};

function isAbsent(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
