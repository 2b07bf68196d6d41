/** The file operations of one process on the disk of its machine: slow, and failing by chance. */
import { basename } from "node:path";
import type {
  FileOperations,
  FileReader,
  FileWriter,
} from "../../src/storage/files/file-operations.ts";
import type { SimulatedDisk } from "../../src/storage/exam-faults.ts";
import type { Faults } from "./faults.ts";
import type { Trace } from "./trace.ts";
import type { Lifetime, VirtualTime } from "./virtual-time.ts";

export interface FileParts {
  readonly disk: SimulatedDisk;
  readonly life: Lifetime;
  readonly time: VirtualTime;
  readonly faults: Faults;
  readonly trace: Trace;
  /** Remembers what is written. */
  note(bytes: Uint8Array): void;
  /** A file that a misdirected write would hit. */
  victim(): string | undefined;
  misdirect(path: string, target: string, bytes: Uint8Array): void;
}

/** The share of operations after which the caller hears of it only later. */
const lateShare = 0.3;

export class SimulatedFiles implements FileOperations {
  readonly #parts: FileParts;

  constructor(parts: FileParts) {
    this.#parts = parts;
  }

  makeFolder(path: string): Promise<void> {
    return this.#parts.disk.makeFolder(path);
  }

  async list(path: string): Promise<readonly string[]> {
    const names = await this.#parts.disk.list(path);
    // Most folders of blobs are empty here; what is not takes its time.
    if (names.length === 0) return names;
    return this.#do("list", path, () => this.#parts.disk.list(path));
  }

  async create(path: string): Promise<FileWriter> {
    const { disk, faults } = this.#parts;
    const writer = await this.#do("create", path, () => disk.create(path));
    return {
      write: (bytes) =>
        this.#do("write", path, async () => {
          this.#parts.note(bytes);
          const isAstray = faults.strikes("misdirected", basename(path));
          const target = isAstray ? this.#parts.victim() : undefined;
          if (target === undefined) await writer.write(bytes);
          else this.#parts.misdirect(path, target, bytes);
        }),
      sync: () => this.#do("sync", path, () => writer.sync()),
      close: () => writer.close(),
    };
  }

  async open(path: string): Promise<FileReader | undefined> {
    const reader = await this.#do("open", path, () => this.#parts.disk.open(path));
    return (
      reader && {
        bytes: reader.bytes,
        read: (buffer) => this.#do("read", path, () => reader.read(buffer)),
        close: () => reader.close(),
      }
    );
  }

  exists(path: string): Promise<boolean> {
    return this.#do("exists", path, () => this.#parts.disk.exists(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do("rename", to, () => this.#parts.disk.rename(from, to));
  }

  link(from: string, to: string): Promise<void> {
    return this.#do("link", to, () => this.#parts.disk.link(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#do("remove", path, () => this.#parts.disk.remove(path));
  }

  freeBytes(): Promise<number> {
    return this.#parts.disk.freeBytes();
  }

  syncFolder(path: string): Promise<void> {
    return this.#do("sync folder", path, () => this.#parts.disk.syncFolder(path));
  }

  async #do<T>(name: string, path: string, work: () => Promise<T>): Promise<T> {
    const { life, time, faults, trace } = this.#parts;
    const what = `${name} ${basename(path).slice(0, 12)}`;
    await life.wait();
    const isWrite = name === "create" || name === "write";
    if (isWrite && faults.strikes("full", what)) throw diskError("ENOSPC");
    const isLost = faults.strikes("disk", what);
    // Half of what fails has been done.
    if (isLost && time.happens(0.5)) throw diskError("EIO");
    const result = await work();
    trace.say(`${time.step} ${what}`);
    if (time.happens(lateShare)) await life.wait();
    if (isLost) throw diskError("EIO");
    return result;
  }
}

export function diskError(code: "EIO" | "ENOSPC"): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
