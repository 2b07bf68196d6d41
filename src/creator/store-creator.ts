/**
 * The creator over a store. What is done to one model is done in turns; a blob is held from before
 * it is stored until a version names it. So no deletion takes a blob that a version names.
 */
import { decodeSafetensors, encodeSafetensors } from "../checkpoints/safetensors.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { present } from "../foundation/assert.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { Store } from "../storage/storage.ts";
import { BlobHolds } from "./blob-holds.ts";
import { checkDerivation, checkSpecification, checkWeights } from "./checks.ts";
import type {
  Creator,
  DeriveOptions,
  ModelSpecification,
  VersionWeights,
  WeightTensor,
} from "./creator.ts";
import { withNoise } from "./noise.ts";
import { Turns } from "./turns.ts";

export interface CreatorParts {
  readonly store: Store;
  readonly clock: Clock;
  /** Called when a model answers differently than before, or no more. */
  readonly onChange?: (model: string) => void;
}

/** The only creator of its store: two of them would not see each other's holds. */
export function createCreator(parts: CreatorParts): Creator {
  return new StoreCreator(parts);
}

class StoreCreator implements Creator {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #holds: BlobHolds;
  readonly #turns = new Turns();
  readonly #onChange: (model: string) => void;

  constructor({ store, clock, onChange = () => {} }: CreatorParts) {
    this.#store = store;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#holds = new BlobHolds(store);
  }

  async create(
    specification: ModelSpecification,
    fit?: () => Promise<VersionWeights>,
  ): Promise<VirtualModel> {
    checkSpecification(specification);
    const { id, base, labels } = specification;
    const { bases, models } = this.#store.catalog;
    await this.#checkFree(id, "id");
    if ((await bases.get(base)) === undefined)
      throw new StrataError(
        "INVALID_ARGUMENT",
        `Cannot create model "${id}": there is no base model "${base}"`,
        { field: "base" },
      );
    const model: VirtualModel = {
      id,
      base,
      task: "text-classification",
      labels: [...labels],
      servedVersion: undefined,
      createdAt: this.#clock.now(),
    };
    if (fit === undefined) {
      await models.insert(model);
      return model;
    }
    const served = { ...model, servedVersion: 1 };
    await this.#keep(await fit(), { model: id, number: 1 }, (version) =>
      this.#store.catalog.versions.insertWithModels([{ model: served, version }]),
    );
    return served;
  }

  publish(model: string, weights: VersionWeights): Promise<Version> {
    return this.#turns.run(model, async () => {
      await this.#existing(model);
      const { versions } = this.#store.catalog;
      const number = ((await versions.list(model)).at(-1)?.number ?? 0) + 1;
      const { isServed } = weights;
      const version = await this.#keep(weights, { model, number }, (row) =>
        versions.insert(row, { isServed }),
      );
      this.#onChange(model);
      return version;
    });
  }

  async derive(options: DeriveOptions): Promise<readonly VirtualModel[]> {
    checkDerivation(options);
    const { model, version } = await this.#served(options.source);
    for (const [index, id] of options.ids.entries()) await this.#checkFree(id, `ids[${index}]`);
    const tensors = await this.#weights(version);
    const held: Digest[] = [];
    try {
      const blobBytes = await this.#putNoisy(tensors, options, held);
      if (new Set([...held, version.blob]).size <= held.length) throw unchanged(options.noise);
      const createdAt = this.#clock.now();
      const first = { number: 1, kind: "derived", metrics: {}, job: undefined } as const;
      const rows = options.ids.map((id, index) => {
        const blob = present(held[index], "Each model has its blob");
        return {
          model: { ...model, id, servedVersion: 1, createdAt },
          version: { ...version, ...first, model: id, blob, blobBytes, createdAt },
        };
      });
      await this.#store.catalog.versions.insertWithModels(rows);
      return rows.map((row) => row.model);
    } finally {
      await this.#letGo(held);
    }
  }

  serve(model: string, version: number): Promise<VirtualModel> {
    return this.#turns.run(model, async () => {
      const current = await this.#existing(model);
      if ((await this.#store.catalog.versions.get(model, version)) === undefined)
        throw new StrataError(
          "NOT_FOUND",
          `Cannot serve version ${version} of "${model}": there is none of this number`,
        );
      const moved = { ...current, servedVersion: version };
      await this.#store.catalog.models.update(moved);
      this.#onChange(model);
      return moved;
    });
  }

  delete(model: string): Promise<void> {
    return this.#turns.run(model, async () => {
      const versions = await this.#store.catalog.versions.list(model);
      if (!(await this.#store.catalog.models.delete(model))) throw unknownModel(model);
      this.#onChange(model);
      // The model is gone, whether its blobs can be removed now or not.
      for (const { blob } of versions) await this.#holds.removeUnused(blob).catch(() => {});
    });
  }

  /** Stores the weights, and their row by `insert`; no blob stays when that fails. */
  async #keep(
    weights: VersionWeights,
    place: Pick<Version, "model" | "number">,
    insert: (version: Version) => Promise<void>,
  ): Promise<Version> {
    checkWeights(place.model, weights);
    const { tensors, isServed: _, job, ...facts } = weights;
    const bytes = encodeSafetensors(tensors);
    const blob = await this.#holds.put(bytes);
    try {
      const content = { blob, blobBytes: bytes.length, createdAt: this.#clock.now() };
      const version = { ...facts, ...place, ...content, job };
      await insert(version);
      return version;
    } finally {
      await this.#letGo([blob]);
    }
  }

  /** Stores and holds one noisy copy per id, in `held`; returns the bytes of each. */
  async #putNoisy(
    tensors: ReadonlyMap<string, WeightTensor>,
    { ids, noise, seed, signal }: DeriveOptions,
    held: Digest[],
  ): Promise<number> {
    let blobBytes = 0;
    for (let start = 0; start < ids.length; start += limits.derivedBlobsInFlightMax) {
      signal?.throwIfAborted();
      const end = Math.min(start + limits.derivedBlobsInFlightMax, ids.length);
      const puts: Promise<void>[] = [];
      const failures: unknown[] = [];
      for (let index = start; index < end; index++) {
        const random = new SeededRandom(seed, index);
        const noisy = [...tensors].map(
          ([name, tensor]) => [name, withNoise(tensor, noise, random)] as const,
        );
        const bytes = encodeSafetensors(new Map(noisy));
        blobBytes = bytes.length;
        const put = this.#holds.put(bytes).then((digest) => void (held[index] = digest));
        puts.push(put.catch((error: unknown) => void failures.push(error)));
      }
      await Promise.all(puts);
      if (failures.length > 0) throw failures[0];
    }
    return blobBytes;
  }

  /** What was named stays, what was not is removed, now or at a later deletion. */
  async #letGo(held: readonly Digest[]): Promise<void> {
    for (const digest of held.filter(Boolean)) await this.#holds.release(digest).catch(() => {});
  }

  async #weights(version: Version): Promise<ReadonlyMap<string, WeightTensor>> {
    const file = decodeSafetensors(await this.#store.blobs.get(version.blob));
    return new Map(file.names.map((name) => [name, file.tensor(name)]));
  }

  async #served(id: string): Promise<{ model: VirtualModel; version: Version }> {
    const model = await this.#existing(id);
    const number = model.servedVersion;
    if (number === undefined)
      throw new StrataError("CONFLICT", `Cannot derive from "${id}": it has no version yet`);
    const version = await this.#store.catalog.versions.get(id, number);
    return { model, version: present(version, "The served version exists") };
  }

  async #existing(id: string): Promise<VirtualModel> {
    const model = await this.#store.catalog.models.get(id);
    if (model === undefined) throw unknownModel(id);
    return model;
  }

  async #checkFree(id: string, field: string): Promise<void> {
    const { bases, models } = this.#store.catalog;
    for (const [kind, table] of [
      ["model", models],
      ["base model", bases],
    ] as const) {
      if ((await table.get(id)) === undefined) continue;
      const state = `there is a ${kind} of this name`;
      const message = `Cannot create model "${id}": ${state}`;
      throw new StrataError("ALREADY_EXISTS", message, { field });
    }
  }
}

function unknownModel(id: string): StrataError {
  return new StrataError("NOT_FOUND", `Cannot find model "${id}": there is none of this name`);
}

function unchanged(noise: number): StrataError {
  const message = `Cannot derive models: noise: ${noise} is too little to change the weights`;
  return new StrataError("INVALID_ARGUMENT", message, { field: "noise" });
}
