/** Finds the version that answers the model name of a request. */
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Caller, Tenant } from "../entities/caller.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { notFound, versionMissing } from "../storage/checks.ts";
import { servedVersion } from "../storage/served-version.ts";
import type { Catalog } from "../storage/storage.ts";

export type Resolved = { readonly kind: "base"; readonly base: string } | ResolvedVersion;

export interface ResolvedVersion {
  readonly kind: "version";
  readonly base: string;
  readonly model: VirtualModel;
  readonly version: Version;
}

/** Remembers what it found until `forget`; unknown names are never remembered. */
export class ModelDirectory {
  readonly #catalog: Catalog;
  /** What was found, by tenant and the model that each name means, then by name. */
  readonly #found = new Map<string, Map<string, Resolved>>();
  #nameCount = 0;
  #changeCount = 0;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /** Must be called when a model was changed or deleted. */
  forget(tenant: Tenant, model: string): void {
    const key = keyOf(tenant, model);
    this.#changeCount += 1;
    this.#nameCount -= this.#found.get(key)?.size ?? 0;
    this.#found.delete(key);
  }

  /** `<id>` or `<id>@<version>`; NOT_FOUND otherwise. */
  async resolve(caller: Caller, name: string): Promise<Resolved> {
    const key = keyOf(caller.tenant, partsOf(name).id);
    const known = this.#found.get(key)?.get(name);
    if (known !== undefined) return known;
    const changeCount = this.#changeCount;
    const found = await resolveModel(caller, this.#catalog, name);
    // What changed while it was looked up may be what was found.
    if (changeCount !== this.#changeCount) return found;
    this.#remember(key, name, found);
    return found;
  }

  #remember(key: string, name: string, found: Resolved): void {
    if (this.#nameCount >= limits.resolvedModelCountMax) {
      this.#found.clear();
      this.#nameCount = 0;
    }
    const names = this.#found.get(key) ?? new Map<string, Resolved>();
    if (!names.has(name)) this.#nameCount += 1;
    this.#found.set(key, names.set(name, found));
  }
}

/** What `<id>` or `<id>@<version>` means now; NOT_FOUND or CONFLICT when it means nothing. */
export async function resolveModel(
  caller: Caller,
  catalog: Catalog,
  name: string,
): Promise<Resolved> {
  if ((await catalog.bases.get(name)) !== undefined) return { kind: "base", base: name };
  const { id, number } = partsOf(name);
  const { models, versions } = catalog.of(caller);
  const model = await models.get(id);
  if (model === undefined) throw notFound("model", name, "model");
  if (number === undefined) {
    const served = await servedVersion({ models, versions }, model);
    const { version } = served;
    if (version !== undefined)
      return { kind: "version", base: model.base, model: served.model, version };
    const message = `Cannot call "${name}": it has no version yet`;
    throw new StrataError("CONFLICT", message, { field: "model" });
  }
  const version = await versions.get(model.incarnation, number);
  if (version === undefined) throw await versionMissing(versions, model, number);
  return { kind: "version", base: model.base, model, version };
}

/** `<id>@<version>` in its parts; a name without a version is all id. */
function partsOf(name: string): { readonly id: string; readonly number: number | undefined } {
  const [, id = name, number] = /^(.*)@([1-9]\d{0,8})$/.exec(name) ?? [];
  return { id, number: number === undefined ? undefined : Number(number) };
}

/** No tenant's name has white space. */
function keyOf(tenant: Tenant, id: string): string {
  return `${tenant} ${id}`;
}
