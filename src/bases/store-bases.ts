/** The bases of a store, taken in from a cache when a server starts. */
import { AssertionError } from "node:assert";
import type { CachedBase, PulledBase } from "../sources/base-cache.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import type { Log } from "../foundation/telemetry.ts";
import { allRows } from "../storage/all-rows.ts";
import type { Store } from "../storage/storage.ts";
import type { Bases } from "./bases.ts";
import { conflictOf } from "./conflicts.ts";

export interface BaseParts {
  readonly store: Store;
  readonly log: Log;
}

export function createBases(parts: BaseParts): Bases {
  return new StoreBases(parts);
}

class StoreBases implements Bases {
  readonly #store: Store;
  readonly #log: Log;
  readonly #served = new Set<string>();
  readonly #refusals = new Map<string, StrataError>();

  constructor({ store, log }: BaseParts) {
    this.#store = store;
    this.#log = log;
  }

  async admit<T>(
    found: CachedBase,
    load: (base: PulledBase) => Promise<T>,
  ): Promise<T | undefined> {
    const { id } = found;
    try {
      if (found.kind === "damaged") throw found.fault;
      const loaded = await this.#takeIn(found.base, load);
      this.#served.add(id);
      return loaded;
    } catch (error) {
      // A bug of ours is not the base's fault; that its memory cannot be had is.
      if (error instanceof AssertionError) throw error;
      const refusal = wrapError(error, "UNSUPPORTED", `Cannot open base model "${id}"`);
      const { code, message } = refusal;
      this.#log.error("A base model is not served", { base: id, code, message });
      this.#refusals.set(id, refusal);
      return undefined;
    }
  }

  async refuseAbsent(): Promise<void> {
    for await (const { id, source } of allRows(this.#store.catalog.bases)) {
      if (this.#served.has(id) || this.#refusals.has(id)) continue;
      this.#log.warn("A base model is not here", { base: id, source });
      const state = `the cache does not hold it; it came from ${source}`;
      const message = `Cannot serve base model "${id}": ${state}`;
      this.#refusals.set(id, new StrataError("NOT_FOUND", message));
    }
  }

  requireAny(): void {
    if (this.#served.size === 0) throw noneLeft([...this.#refusals.values()]);
  }

  whyRefused(id: string): string {
    return this.#refusals.get(id)?.message ?? `base model "${id}" is not loaded on this server`;
  }

  async #takeIn<T>(pulled: PulledBase, load: (base: PulledBase) => Promise<T>): Promise<T> {
    const { bases, system } = this.#store.catalog;
    const { files: _, folder: __, commit: ___, ...base } = pulled;
    const { id } = base;
    const known = await bases.get(id);
    const hasModel = await system.hasModel(id);
    const user = await system.modelOn(id);
    const conflict = conflictOf(base, { hasModel, digest: known?.digest, user });
    // A row that an earlier release has entered beside a vPLM of its name is taken away.
    if (hasModel) await bases.delete(id);
    if (conflict !== undefined) throw conflict;
    const loaded = await load(pulled);
    if (known === undefined) await bases.insert(base);
    // Other bytes may replace what no vPLM stands on.
    else if (known.digest !== base.digest) await bases.update(base);
    return loaded;
  }
}

/** The reason of the only base, or of all with the code of the first. */
function noneLeft([first, ...others]: readonly StrataError[]): StrataError {
  if (first === undefined)
    return new StrataError(
      "CONFLICT",
      "Cannot serve: there is no base model; get one with `strata base pull all-MiniLM-L6-v2`",
    );
  if (others.length === 0) return first;
  const reasons = [first, ...others].map(({ message }) => `  ${message}`);
  const message = ["Cannot serve: no base model can be opened", ...reasons].join("\n");
  return new StrataError(first.code, message, { cause: first });
}
