/** From the model name in a request to the version that answers it. */
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import type { Catalog } from "../storage/storage.ts";

export type Resolved =
  | { readonly kind: "base"; readonly base: string }
  | {
      readonly kind: "version";
      readonly base: string;
      readonly model: VirtualModel;
      readonly version: Version;
    };

/** Remembers what it found until `forget`; unknown names are never remembered. */
export class ModelDirectory {
  readonly #catalog: Catalog;
  readonly #found = new Map<string, Resolved>();
  #changeCount = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** To be called when a model was changed or deleted. */
  forget(model: string): void {
    this.#changeCount += 1;
    for (const name of this.#found.keys())
      if (name === model || name.startsWith(`${model}@`)) this.#found.delete(name);
  }

  /** `<id>` or `<id>@<version>`; NOT_FOUND otherwise. */
  async resolve(name: string): Promise<Resolved> {
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const changeCount = this.#changeCount;
    const found = await this.#find(name);
    // What changed while it was looked up may be what was found.
    if (changeCount !== this.#changeCount) return found;
    if (this.#found.size >= limits.resolvedModelCountMax) this.#found.clear();
    this.#found.set(name, found);
    return found;
  }

  async #find(name: string): Promise<Resolved> {
    if ((await this.#catalog.bases.get(name)) !== undefined) return { kind: "base", base: name };
    const [, id = name, number] = /^(.*)@(\d{1,9})$/.exec(name) ?? [];
    const model = await this.#catalog.models.get(id);
    if (model === undefined) throw unknownModel(name);
    const wanted = number === undefined ? model.servedVersion : Number(number);
    if (wanted === undefined)
      throw new StrataError("CONFLICT", `Cannot call "${name}": it has no version yet`, {
        field: "model",
      });
    const version = await this.#catalog.versions.get(model.incarnation, wanted);
    if (version === undefined) throw unknownModel(name);
    return { kind: "version", base: model.base, model, version };
  }
}

export function unknownModel(name: string): StrataError {
  return new StrataError("NOT_FOUND", `The model "${name}" does not exist`, { field: "model" });
}
