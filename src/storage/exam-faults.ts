/**
 * Disks and stores that fail, for tests: a simulated disk whose n-th operation fails or loses power
 * and which then forgets what was never synced, and a store whose n-th operation fails.
 */
import { basename, dirname, join } from "node:path";
import type { Random } from "../foundation/random.ts";
import type { FileOperations, FileReader, FileWriter } from "./files/file-operations.ts";
import { BlobKeeper } from "./blob-keeper.ts";
import type { BlobDriver, Catalog, Keeper, Quarantine, StoreDriver } from "./storage.ts";

/** What happens at an operation: `fail` lets it alone fail, `cut` it and all that follow. */
export interface Fault {
  /** Operations before the fault. */
  readonly after: number;
  readonly kind: "fail" | "cut";
}

interface FileState {
  /** What readers see now, and what a power cut leaves for sure. */
  content: Uint8Array;
  synced: Uint8Array;
  /** Whether its bytes are not those that were written to it, as its owner must find out. */
  isSpoilt?: boolean;
}

interface FolderState {
  readonly names: Map<string, FileState>;
  readonly syncedNames: Map<string, FileState>;
}

const missing = (path: string): Error => new Error(`ENOENT: no such file or folder, "${path}"`);

/** A file system in memory. Folders themselves are durable at once; names and contents are not. */
export class SimulatedDisk implements FileOperations {
  readonly #folders = new Map<string, FolderState>();
  #fault: Fault | undefined;
  #operationCount = 0;

  /** Arms the next fault and starts counting; undefined lets all succeed. */
  arm(fault: Fault | undefined): void {
    this.#fault = fault;
    this.#operationCount = 0;
  }

  /** Whether the armed fault has struck. */
  get hasStruck(): boolean {
    return this.#fault !== undefined && this.#operationCount > this.#fault.after;
  }

  /**
   * Power comes back. Each name and each content that was not synced is kept or forgotten, by
   * lot; a content that was being written may also be kept in part.
   */
  restart(random: Random): void {
    for (const folder of this.#folders.values()) {
      for (const name of new Set([...folder.names.keys(), ...folder.syncedNames.keys()])) {
        const source = random.uniform() < 0.5 ? folder.names : folder.syncedNames;
        const file = source.get(name);
        if (file === undefined) folder.names.delete(name);
        else folder.names.set(name, file);
      }
      for (const [name, file] of folder.names) {
        const length = random.integer(file.content.length + 1);
        const kept = [file.synced, file.content, file.content.slice(0, length)];
        if (file.synced !== file.content) file.content = kept[random.integer(3)] ?? file.synced;
        file.synced = file.content;
        folder.syncedNames.set(name, file);
      }
      for (const name of folder.syncedNames.keys())
        if (!folder.names.has(name)) folder.syncedNames.delete(name);
    }
    this.arm(undefined);
  }

  /** What a reader would see; no operation, so no fault strikes. */
  contentOf(path: string): Uint8Array | undefined {
    return this.#folder(dirname(path)).names.get(basename(path))?.content;
  }

  /** Paths of all files in the folder that hold something, in order of their names. */
  pathsIn(folder: string): readonly string[] {
    const names = [...(this.#folders.get(folder)?.names ?? [])];
    const full = names.filter(([, { content }]) => content.length > 0);
    return full.map(([name]) => join(folder, name)).toSorted();
  }

  isSpoilt(path: string): boolean {
    return this.#folders.get(dirname(path))?.names.get(basename(path))?.isSpoilt === true;
  }

  /** Flips one bit of the file, which has content. */
  flip(path: string, random: Random): void {
    const file = this.#folder(dirname(path)).names.get(basename(path));
    if (file === undefined) throw missing(path);
    const content = new Uint8Array(file.content);
    const index = random.integer(content.length);
    content[index] = (content[index] ?? 0) ^ (1 << random.integer(8));
    Object.assign(file, { content, synced: content, isSpoilt: true });
  }

  /** Writes what was meant for `path` over `target`: both then hold what they should not. */
  misdirect(path: string, target: string, bytes: Uint8Array): void {
    const file = this.#folder(dirname(target)).names.get(basename(target));
    const meant = this.#folder(dirname(path)).names.get(basename(path));
    if (file === undefined || meant === undefined) throw missing(target);
    const content = new Uint8Array(file.content);
    content.set(bytes.subarray(0, content.length));
    Object.assign(file, { content, synced: content, isSpoilt: true });
    meant.content = Buffer.concat([meant.content, new Uint8Array(bytes.length)]);
    meant.isSpoilt = true;
  }

  async makeFolder(path: string): Promise<void> {
    this.#step();
    for (let at = path; !this.#folders.has(at); at = dirname(at))
      this.#folders.set(at, { names: new Map(), syncedNames: new Map() });
  }

  async list(path: string): Promise<readonly string[]> {
    this.#step();
    return [...this.#folder(path).names.keys()];
  }

  async create(path: string): Promise<FileWriter> {
    this.#step();
    const file: FileState = { content: new Uint8Array(), synced: new Uint8Array() };
    this.#folder(dirname(path)).names.set(basename(path), file);
    return {
      write: async (bytes) => {
        this.#step();
        file.content = Buffer.concat([file.content, bytes]);
      },
      sync: async () => {
        this.#step();
        file.synced = file.content;
      },
      close: async () => this.#step(),
    };
  }

  async open(path: string): Promise<FileReader | undefined> {
    this.#step();
    const file = this.#folder(dirname(path)).names.get(basename(path));
    if (file === undefined) return undefined;
    let offset = 0;
    return {
      bytes: file.content.length,
      read: async (buffer) => {
        this.#step();
        const part = file.content.subarray(offset, offset + buffer.length);
        buffer.set(part);
        offset += part.length;
        return part.length;
      },
      close: async () => this.#step(),
    };
  }

  async exists(path: string): Promise<boolean> {
    this.#step();
    return this.#folder(dirname(path)).names.has(basename(path));
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step();
    const source = this.#folder(dirname(from)).names;
    const file = source.get(basename(from));
    if (file === undefined) throw missing(from);
    this.#folder(dirname(to)).names.set(basename(to), file);
    source.delete(basename(from));
  }

  async link(from: string, to: string): Promise<void> {
    this.#step();
    const file = this.#folder(dirname(from)).names.get(basename(from));
    if (file === undefined) throw missing(from);
    const { names } = this.#folder(dirname(to));
    if (!names.has(basename(to))) names.set(basename(to), file);
  }

  async freeBytes(): Promise<number> {
    this.#step();
    return Infinity;
  }

  async remove(path: string): Promise<void> {
    this.#step();
    this.#folder(dirname(path)).names.delete(basename(path));
  }

  async syncFolder(path: string): Promise<void> {
    this.#step();
    const { names, syncedNames } = this.#folder(path);
    syncedNames.clear();
    for (const [name, file] of names) syncedNames.set(name, file);
  }

  #folder(path: string): FolderState {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw missing(path);
    return folder;
  }

  #step(): void {
    const position = this.#operationCount;
    this.#operationCount += 1;
    if (this.#fault === undefined || position < this.#fault.after) return;
    if (position === this.#fault.after || this.#fault.kind === "cut")
      throw new Error(`EIO: simulated fault at operation ${position}`);
  }
}

/** A store over another one whose operation number `failAt`, counted from 0, fails once. */
export class FailingStore implements StoreDriver {
  readonly blobs: BlobDriver;
  readonly catalog: Catalog;
  readonly quarantine: Quarantine;
  readonly keeper: Keeper;
  readonly #store: StoreDriver;
  readonly #failAt: number;
  readonly #counts = new Map<string, number>();
  #operationCount = 0;

  constructor(store: StoreDriver, failAt: number) {
    this.#store = store;
    this.#failAt = failAt;
    this.blobs = this.#failing(store.blobs);
    this.catalog = {
      bases: this.#failing(store.catalog.bases),
      of: (caller) => {
        const { models, versions, jobs, events, files } = store.catalog.of(caller);
        return {
          models: this.#failing(models),
          versions: this.#failing(versions),
          jobs: this.#failing(jobs),
          events: this.#failing(events),
          files: this.#failing(files),
        };
      },
      system: this.#failing(store.catalog.system),
    };
    this.quarantine = this.#failing(store.quarantine);
    this.keeper = new BlobKeeper(this);
  }

  /** Whether the fault has struck. */
  get hasStruck(): boolean {
    return this.#operationCount > this.#failAt;
  }

  /** How many operations of each name there were. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #failing<T extends object>(target: T): T {
    const step = (name: string): void => {
      const position = this.#operationCount;
      this.#operationCount += 1;
      this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
      if (position === this.#failAt) throw new Error(`simulated fault at ${position}, ${name}`);
    };
    return new Proxy(target, {
      get(_, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return (...parameters: unknown[]): unknown => {
          step(String(name));
          return Reflect.apply(member, target, parameters);
        };
      },
    });
  }
}
