/**
 * Blobs that nothing names, as files `quarantine/<digest>.<since>`. A blob gets its name here, and
 * that name is durable, before it loses the one among the blobs, and the other way round: whatever
 * happens in between, it has one of them.
 */
import { dirname, join } from "node:path";
import type { Digest } from "../../foundation/digest.ts";
import type { Quarantine, QuarantinedBlob } from "../storage.ts";
import { guardDisk } from "./disk-errors.ts";
import { SharedRuns } from "./concurrency.ts";
import type { FileOperations } from "./file-operations.ts";

export interface QuarantineOptions {
  readonly files: FileOperations;
  /** The path of a blob that is not set aside. */
  pathOf(digest: Digest): string;
}

export class FileQuarantine implements Quarantine {
  readonly #folder: string;
  readonly #files: FileOperations;
  readonly #pathOf: (digest: Digest) => string;
  /** Name of the file by digest. */
  readonly #names = new Map<Digest, string>();
  readonly #restores = new SharedRuns<Digest>((digest) => this.#restore(digest));

  private constructor(folder: string, { files, pathOf }: QuarantineOptions) {
    this.#folder = folder;
    this.#files = files;
    this.#pathOf = pathOf;
  }

  /** Opens the quarantine in `folder`, which exists. */
  static async open(folder: string, options: QuarantineOptions): Promise<FileQuarantine> {
    const quarantine = new FileQuarantine(folder, options);
    for (const name of await options.files.list(folder))
      if (/^[0-9a-f]{64}\.[0-9]+$/.test(name)) quarantine.#names.set(digestIn(name), name);
    return quarantine;
  }

  has(digest: Digest): boolean {
    return this.#names.has(digest);
  }

  async *list(): AsyncIterable<QuarantinedBlob> {
    for (const [digest, name] of [...this.#names])
      yield { digest, sinceMs: Number(name.slice(name.indexOf(".") + 1)) };
  }

  async add(digest: Digest, sinceMs: number): Promise<void> {
    const name = `${digest.slice("sha256:".length)}.${sinceMs}`;
    const before = this.#names.get(digest);
    await guardDisk(`set aside blob "${digest}"`, async () => {
      await this.#move(this.#pathOf(digest), join(this.#folder, name));
      this.#names.set(digest, name);
      if (before !== undefined && before !== name)
        await this.#files.remove(join(this.#folder, before));
    });
  }

  restore(digest: Digest): Promise<void> {
    return this.#restores.run(digest);
  }

  async #restore(digest: Digest): Promise<void> {
    const name = this.#names.get(digest);
    if (name === undefined) return;
    await guardDisk(`bring back blob "${digest}"`, async () => {
      await this.#move(join(this.#folder, name), this.#pathOf(digest));
      this.#names.delete(digest);
    });
  }

  async remove(digest: Digest): Promise<void> {
    const name = this.#names.get(digest);
    if (name === undefined) return;
    await guardDisk(`remove blob "${digest}"`, () => this.#files.remove(join(this.#folder, name)));
    this.#names.delete(digest);
  }

  async #move(from: string, to: string): Promise<void> {
    await this.#files.link(from, to);
    await this.#files.syncFolder(dirname(to));
    await this.#files.remove(from);
  }
}

function digestIn(name: string): Digest {
  return `sha256:${name.slice(0, name.indexOf("."))}`;
}
