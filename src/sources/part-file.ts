/**
 * A file that is still arriving: `<target>.part`, with the server's tag beside it. Only whole and
 * checked bytes ever get the name `<target>`; a killed process leaves a part to continue.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { type Digest, DigestStream } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { syncFolder } from "../foundation/replace-file.ts";

export class PartFile {
  readonly #target: string;
  #bytes: number;
  #digest = new DigestStream();
  #writer: FileHandle | undefined;

  private constructor(target: string, bytes: number) {
    this.#target = target;
    this.#bytes = bytes;
  }

  /** Continues what is there, or begins with nothing. */
  static async open(target: string): Promise<PartFile> {
    const found = await stat(`${target}.part`).catch(() => undefined);
    return new PartFile(target, found?.size ?? 0);
  }

  /** Bytes that have arrived. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The strong entity tag under which the bytes arrived. */
  async tag(): Promise<string | undefined> {
    return await readFile(`${this.#target}.tag`, "utf8").catch(() => undefined);
  }

  /** Makes ready for `append`: behind the bytes that are there, or from nothing under a new tag. */
  async begin(mode: "continue" | "anew", tag: string | undefined): Promise<void> {
    if (mode === "anew") await this.discard();
    else {
      const stream = createReadStream(`${this.#target}.part`);
      const chunks = stream as AsyncIterable<Buffer>; // no encoding is set
      for await (const chunk of chunks) this.#digest.update(chunk);
    }
    if (tag !== undefined) await writeFile(`${this.#target}.tag`, tag);
    this.#writer = await open(`${this.#target}.part`, "a");
  }

  async append(bytes: Uint8Array): Promise<void> {
    await this.#writer?.appendFile(bytes);
    this.#digest.update(bytes);
    this.#bytes += bytes.length;
  }

  /** Stops writing and keeps the part. */
  async close(): Promise<void> {
    await this.#writer?.close();
    this.#writer = undefined;
  }

  /** Gives the file its name; CORRUPT, with nothing left behind, when the digest differs. */
  async finish(expected: Digest | undefined): Promise<void> {
    await this.#writer?.sync();
    await this.close();
    const digest = this.#digest.finish();
    if (expected !== undefined && digest !== expected) {
      await this.discard();
      throw new StrataError("CORRUPT", `expected ${expected}, got ${digest}`);
    }
    await rename(`${this.#target}.part`, this.#target);
    await rm(`${this.#target}.tag`, { force: true });
    await syncFolder(dirname(this.#target));
  }

  async discard(): Promise<void> {
    await this.close();
    await rm(`${this.#target}.part`, { force: true });
    await rm(`${this.#target}.tag`, { force: true });
    this.#bytes = 0;
    this.#digest = new DigestStream();
  }
}
