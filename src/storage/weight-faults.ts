/**
 * What is wrong with the weights of versions, for those who are shown them. The weights of a model
 * that is shown are read for it, unless they were found whole before; one that is listed tells what
 * reading has found, since a list of ten thousand models must not read ten thousand blobs.
 */
import pLimit from "p-limit";
import type { Caller } from "../entities/caller.ts";
import type { ModelIdentity, Version, VirtualModel } from "../entities/virtual-model.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { readFound, servedVersion, type ServedModel } from "./served-version.ts";
import type { Blobs, Store } from "./storage.ts";

export interface CheckedVersion {
  readonly version: Version;
  /** What is wrong with its weights; null where nothing is, or it is not known. */
  readonly fault: string | null;
}

export class WeightFaults {
  readonly #store: Pick<Store, "blobs" | "catalog">;
  readonly #reads = pLimit(limits.weightCheckCountMax);
  /** The checks under way, which all who ask for the same blob share. */
  readonly #checks = new Map<Digest, Promise<void>>();

  constructor(store: Pick<Store, "blobs" | "catalog">) {
    this.#store = store;
  }

  /** Why the version that serves the model cannot be called; null when its weights are whole. */
  async ofServed(caller: Caller, model: ModelIdentity): Promise<string | null> {
    const find = (): Promise<ServedModel> => servedVersion(this.#store.catalog.of(caller), model);
    const blobOf = ({ version }: ServedModel): Digest | undefined => version?.blob;
    try {
      await readFound({ find, blobOf }, async ({ version }) => {
        if (version !== undefined) await this.#check(version.blob);
      });
      return null;
    } catch (error) {
      // The model was deleted since it was found.
      if (error instanceof StrataError && error.code === "NOT_FOUND") return null;
      return messageOf(error);
    }
  }

  /** The same as far as it is known, for any models of the caller: versions are not looked up. */
  async known(caller: Caller): Promise<(model: VirtualModel) => string | null> {
    const { versions } = this.#store.catalog.of(caller);
    const byVersion = new Map<string, string>();
    for (const [blob, fault] of this.#store.blobs.faults)
      for (const { model, number } of await versions.naming(blob))
        byVersion.set(`${model}@${number}`, fault);
    return ({ incarnation, servedVersion: number }) =>
      byVersion.get(`${incarnation}@${number}`) ?? null;
  }

  /**
   * Each version with what is wrong with its weights. Those of the first `count` are read, up to
   * `weightCheckBytesMax`; of the others it is told what is known.
   */
  async *ofEach(
    versions: AsyncIterable<Version>,
    count: number,
  ): AsyncGenerator<CheckedVersion, void, undefined> {
    let [readCount, bytes] = [0, 0];
    for await (const version of versions) {
      const { blob, blobBytes } = version;
      readCount += 1;
      if (!this.#blobs.isWhole(blob)) bytes += blobBytes;
      const isRead = readCount <= count && bytes <= limits.weightCheckBytesMax;
      const fault = isRead ? await this.#faultOf(blob) : this.#blobs.faults.get(blob);
      yield { version, fault: fault ?? null };
    }
  }

  async #faultOf(blob: Digest): Promise<string | undefined> {
    try {
      await this.#check(blob);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** Reads the blob, unless it is known to be whole; CORRUPT when it is not. */
  async #check(blob: Digest): Promise<void> {
    if (this.#blobs.isWhole(blob)) return;
    const shared = this.#checks.get(blob);
    if (shared !== undefined) return shared;
    const check = this.#reads(async () => {
      for await (const _ of this.#blobs.stream(blob));
    });
    this.#checks.set(blob, check);
    try {
      await check;
    } finally {
      this.#checks.delete(blob);
    }
  }

  get #blobs(): Blobs {
    return this.#store.blobs;
  }
}

/** A fault of the world is told in place of what it keeps from being read. */
function messageOf(error: unknown): string {
  if (error instanceof StrataError) return error.message;
  throw error;
}
