/** One tenant's versions, without a disk. */
import type { Tenant } from "../../entities/caller.ts";
import type { Incarnation, Version, VirtualModel } from "../../entities/virtual-model.ts";
import type { Digest } from "../../foundation/digest.ts";
import { isListed, rowMissing, rowTaken } from "../checks.ts";
import type { VersionPage, VersionTable } from "../storage.ts";
import { keyOf, type MemoryTable } from "./memory-table.ts";

export class MemoryVersions implements VersionTable {
  readonly #versions: Map<string, readonly Version[]>;
  readonly #models: MemoryTable<VirtualModel>;
  readonly #tenant: Tenant;

  /** `versions` are those of all tenants, by `keyOf` their tenant and incarnation. */
  constructor(
    versions: Map<string, readonly Version[]>,
    parts: { readonly models: MemoryTable<VirtualModel>; readonly tenant: Tenant },
  ) {
    this.#versions = versions;
    this.#models = parts.models;
    this.#tenant = parts.tenant;
  }

  async insert(version: Version, options: { readonly isServed: boolean }): Promise<void> {
    const model = this.#models.rows().find(({ incarnation }) => incarnation === version.model);
    if (model === undefined) throw rowMissing("models", version.model);
    const versions = this.#of(version.model);
    if (versions.some(({ number }) => number === version.number))
      throw rowTaken("versions", `${version.model}@${version.number}`);
    const all = [...versions, structuredClone(version)];
    this.#put(
      version.model,
      all.toSorted((left, right) => left.number - right.number),
    );
    const { number, labels } = version;
    const counted = { ...model, versionCount: number };
    this.#models.put(options.isServed ? { ...counted, servedVersion: number, labels } : counted);
  }

  async insertWithModels(
    rows: readonly { readonly model: VirtualModel; readonly version: Version }[],
  ): Promise<void> {
    const ids = new Set(rows.map(({ model }) => model.id));
    if (ids.size < rows.length || rows.some(({ model }) => this.#models.has(model.id)))
      throw rowTaken("models", "one of the new ids");
    for (const { model, version } of rows) {
      const { number } = version;
      this.#models.put({ ...model, servedVersion: number, versionCount: number });
      this.#put(model.incarnation, [structuredClone(version)]);
    }
  }

  async get(model: Incarnation, number: number): Promise<Version | undefined> {
    return structuredClone(this.#of(model).find((version) => version.number === number));
  }

  async naming(blob: Digest): Promise<readonly Pick<Version, "model" | "number">[]> {
    const own = [...this.#versions].flatMap(([key, versions]) =>
      versions.filter(({ model }) => key === keyOf(this.#tenant, model)),
    );
    return own
      .filter((version) => version.blob === blob)
      .map(({ model, number }) => ({ model, number }));
  }

  async list(model: Incarnation, options: VersionPage): Promise<readonly Version[]> {
    const { after = 0, limit, where = {} } = options;
    const rows = this.#of(model).filter(({ number }) => number > after);
    const wanted = rows.filter((version) => isListed(version, where));
    return structuredClone(wanted.slice(0, limit));
  }

  async delete(model: Incarnation, number: number): Promise<boolean> {
    const versions = this.#of(model);
    const left = versions.filter((version) => version.number !== number);
    this.#put(model, left);
    return left.length < versions.length;
  }

  #of(model: Incarnation): readonly Version[] {
    return this.#versions.get(keyOf(this.#tenant, model)) ?? [];
  }

  #put(model: Incarnation, versions: readonly Version[]): void {
    this.#versions.set(keyOf(this.#tenant, model), versions);
  }
}
