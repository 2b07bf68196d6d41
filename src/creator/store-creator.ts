/**
 * The creator over a store. What is done to one model is done in turns; a blob is held from before
 * it is stored until a version names it. So no deletion takes a blob that a version names.
 */
import AsyncLock from "async-lock";
import type { Caller, Tenant } from "../entities/caller.ts";
import {
  defaultTask,
  type ModelIdentity,
  type Version,
  type VirtualModel,
} from "../entities/virtual-model.ts";
import { faultOfValues, type Weight, type Weights } from "../entities/weights.ts";
import { decodeWeights, encodeSafetensors } from "../formats/safetensors.ts";
import { present } from "../foundation/assert.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Digest } from "../foundation/digest.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { type Ids, SeededRandom } from "../foundation/random.ts";
import { allVersions } from "../storage/all-rows.ts";
import { modelDeleted, requireModel, unlessRotten, versionMissing } from "../storage/checks.ts";
import { readFound, servedVersion } from "../storage/served-version.ts";
import type { BlobWriter, Store, TenantCatalog } from "../storage/storage.ts";
import {
  checkDerivation,
  checkDerivedLabels,
  checkId,
  checkLabels,
  checkWeights,
} from "./checks.ts";
import type { Creator, DeriveOptions, ModelSpecification, VersionWeights } from "./creator.ts";
import { type NoiseOptions, withNoise } from "./noise.ts";

export interface CreatorParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  /** It is called when a model answers differently than before, or no more. */
  readonly onChange?: (tenant: Tenant, model: string) => void;
}

/** The only creator of its store: two of them would not see each other's turns. */
export function createCreator(parts: CreatorParts): Creator {
  return new StoreCreator(parts);
}

class StoreCreator implements Creator {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #ids: Ids;
  /** Turns go by incarnation. */
  readonly #turns = new AsyncLock({ maxPending: Infinity });
  readonly #onChange: (tenant: Tenant, model: string) => void;

  constructor({ store, clock, ids, onChange = () => {} }: CreatorParts) {
    this.#store = store;
    this.#clock = clock;
    this.#ids = ids;
    this.#onChange = onChange;
  }

  async create(
    caller: Caller,
    specification: ModelSpecification,
    fit?: () => Promise<VersionWeights>,
  ): Promise<VirtualModel> {
    const { id, base, task = defaultTask, labels = [] } = specification;
    checkId(id);
    if (fit === undefined) checkLabels(labels, task);
    const { models, versions } = this.#own(caller);
    await this.#checkFree(caller, id, "id");
    if ((await this.#store.catalog.bases.get(base)) === undefined)
      throw new StrataError(
        "INVALID_ARGUMENT",
        `Cannot create model "${id}": there is no base model "${base}"`,
        { field: "base" },
      );
    const model: VirtualModel = {
      id,
      incarnation: specification.incarnation ?? this.#ids.next("vplm-"),
      base,
      task,
      labels: [...labels],
      servedVersion: undefined,
      versionCount: 0,
      createdAt: this.#clock.now(),
    };
    if (fit === undefined) {
      await models.insert(model);
      return model;
    }
    const weights = await fit();
    const first = { task: weights.task, labels: weights.labels };
    const served = { ...model, ...first, servedVersion: 1, versionCount: 1 };
    await this.#keep(model, { weights, number: 1 }, (version) =>
      versions.insertWithModels([{ model: served, version }]),
    );
    return served;
  }

  publish(caller: Caller, identity: ModelIdentity, weights: VersionWeights): Promise<Version> {
    return this.#turns.acquire(identity.incarnation, async () => {
      const model = await this.#existing(caller, identity);
      const { isServed, replaces } = weights;
      if (isServed && replaces !== undefined && replaces !== model.servedVersion)
        throw new StrataError(
          "CONFLICT",
          `Cannot replace version ${replaces} of "${model.id}": it is not served any more`,
        );
      const number = model.versionCount + 1;
      return this.#keep(model, { weights, number }, (row) =>
        this.#changing(caller, model.id, () =>
          this.#own(caller).versions.insert(row, { isServed }),
        ),
      );
    });
  }

  async derive(caller: Caller, options: DeriveOptions): Promise<readonly VirtualModel[]> {
    checkDerivation(options);
    const pace = new Pace(options.signal);
    for (const [index, id] of options.ids.entries()) {
      await this.#checkFree(caller, id, `ids[${index}]`);
      if (pace.isDue) await pace.rest();
    }
    const { model, version, tensors, evidence } = await this.#sourceOf(caller, options);
    return this.#store.keeper.storing(async (storage) => {
      const { blobs, blobBytes } = await putNoisy(tensors, options, storage);
      if (new Set([...blobs, version.blob]).size <= blobs.length) throw unchanged(options.noise);
      // What the source has seen, its copies have seen; it may be deleted at any moment.
      if (evidence !== undefined) await storage.put(evidence);
      const createdAt = this.#clock.now();
      const first = { number: 1, kind: "derived", metrics: {}, outcome: "served" } as const;
      const fresh = { ...first, verdict: undefined, job: undefined, createdAt };
      const rows = options.ids.map((id, index) => {
        const blob = present(blobs[index], "Each model has its blob");
        const incarnation = this.#ids.next("vplm-");
        return {
          model: { ...model, id, incarnation, servedVersion: 1, versionCount: 1, createdAt },
          version: { ...version, ...fresh, model: incarnation, blob, blobBytes },
        };
      });
      await this.#own(caller).versions.insertWithModels(rows);
      return rows.map((row) => row.model);
    });
  }

  serve(caller: Caller, identity: ModelIdentity, number: number): Promise<VirtualModel> {
    return this.#turns.acquire(identity.incarnation, async () => {
      const model = await this.#existing(caller, identity);
      const { models, versions } = this.#own(caller);
      const version = await versions.get(model.incarnation, number);
      if (version === undefined) throw await versionMissing(versions, model, number);
      const moved = { ...model, servedVersion: number, labels: version.labels };
      await this.#changing(caller, model.id, () => models.update(moved));
      return moved;
    });
  }

  deleteVersion(caller: Caller, identity: ModelIdentity, number: number): Promise<void> {
    return this.#turns.acquire(identity.incarnation, async () => {
      const model = await this.#existing(caller, identity);
      const { versions } = this.#own(caller);
      if (number === model.servedVersion)
        throw new StrataError(
          "CONFLICT",
          `Cannot delete version ${number} of "${model.id}": it is served; serve another one first`,
        );
      const version = await unlessRotten(versions.get(model.incarnation, number));
      const deletion = (): Promise<boolean> => versions.delete(model.incarnation, number);
      if (!(await this.#changing(caller, model.id, deletion)))
        throw await versionMissing(versions, model, number);
      if (version !== undefined) await this.#store.keeper.dropped(blobsOf([version]));
    });
  }

  delete(caller: Caller, identity: ModelIdentity): Promise<void> {
    return this.#turns.acquire(identity.incarnation, async () => {
      const { id, incarnation } = await this.#existing(caller, identity);
      const own = this.#own(caller);
      const versions = await allVersions(own.versions, incarnation);
      await this.#changing(caller, id, () => own.models.delete(id));
      await this.#store.keeper.dropped(blobsOf(versions));
    });
  }

  async discard(caller: Caller, id: string): Promise<void> {
    const { models } = this.#own(caller);
    if ((await unlessRotten(models.get(id))) !== undefined)
      throw new StrataError("CONFLICT", `Cannot discard model "${id}": its row can be read`);
    if (!(await this.#changing(caller, id, () => models.delete(id)))) throw modelDeleted(id);
  }

  /**
   * Changes a model, and says so. A change that fails may have been committed all the same, when
   * only its mark could not be written: whoever remembers the model must look again.
   */
  async #changing<T>(caller: Caller, id: string, change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } finally {
      this.#onChange(caller.tenant, id);
    }
  }

  /** Stores the weights, and their row by `insert`; no blob stays when that fails. */
  async #keep(
    model: VirtualModel,
    { weights, number }: { readonly weights: VersionWeights; readonly number: number },
    insert: (version: Version) => Promise<void>,
  ): Promise<Version> {
    const base = await this.#store.catalog.bases.get(model.base);
    checkWeights(model, weights, present(base, "A model's base stays").config);
    const { tensors, isServed, replaces: _, evidence, verdict, job, ...facts } = weights;
    const bytes = encodeSafetensors(tensors);
    return this.#store.keeper.storing(async (storage) => {
      const version: Version = {
        ...facts,
        model: model.incarnation,
        number,
        blob: await storage.put(bytes),
        blobBytes: bytes.length,
        shapes: Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape])),
        evidence: evidence && (await storage.put(evidence)),
        outcome: isServed ? "served" : "not_served",
        verdict,
        job,
        createdAt: this.#clock.now(),
      };
      await insert(version);
      return version;
    });
  }

  async #weights(version: Version): Promise<Weights> {
    const tensors = decodeWeights(await this.#store.blobs.get(version.blob));
    const fault = faultOfValues(tensors);
    if (fault === undefined) return tensors;
    throw new StrataError("CORRUPT", `Cannot derive from version ${version.number}: ${fault}`);
  }

  /** The version that is copied, and its bytes. */
  async #sourceOf(caller: Caller, { source, ids }: DeriveOptions): Promise<DerivedFrom> {
    const find = async (): Promise<Pick<DerivedFrom, "model" | "version">> => {
      const { model, version } = await servedVersion(this.#own(caller), source);
      if (version !== undefined) return { model, version };
      throw new StrataError("CONFLICT", `Cannot derive from "${model.id}": it has no version yet`);
    };
    const finding = { find, blobOf: ({ version }: Pick<DerivedFrom, "version">) => version.blob };
    return readFound<Pick<DerivedFrom, "model" | "version">, DerivedFrom>(
      finding,
      async (found) => {
        const { model, version } = found;
        checkDerivedLabels(model.labels, ids.length);
        const tensors = await this.#weights(version);
        const digest = version.evidence;
        const evidence = digest && (await this.#store.blobs.get(digest));
        return { model, version, tensors, evidence };
      },
    );
  }

  #existing(caller: Caller, identity: ModelIdentity): Promise<VirtualModel> {
    return requireModel(this.#own(caller), identity);
  }

  #own(caller: Caller): TenantCatalog {
    return this.#store.catalog.of(caller);
  }

  async #checkFree(caller: Caller, id: string, field: string): Promise<void> {
    for (const [kind, table] of [
      ["model", this.#own(caller).models],
      ["base model", this.#store.catalog.bases],
    ] as const) {
      if ((await table.get(id)) === undefined) continue;
      const state = `there is a ${kind} of this name`;
      const message = `Cannot create model "${id}": ${state}`;
      throw new StrataError("ALREADY_EXISTS", message, { field });
    }
  }
}

/** What copies are made of. */
interface DerivedFrom {
  readonly model: VirtualModel;
  readonly version: Version;
  readonly tensors: Weights;
  /** Undefined for a version that has none. */
  readonly evidence: Uint8Array | undefined;
}

/** Stores one noisy copy per id: their names in the order of the ids, and the bytes of each. */
async function putNoisy(
  tensors: Weights,
  { ids, noise, seed, signal }: DeriveOptions,
  storage: BlobWriter,
): Promise<{ readonly blobs: readonly Digest[]; readonly blobBytes: number }> {
  const blobs: Digest[] = [];
  let blobBytes = 0;
  const pace = new Pace(signal);
  for (let start = 0; start < ids.length; start += limits.derivedBlobsInFlightMax) {
    signal?.throwIfAborted();
    const end = Math.min(start + limits.derivedBlobsInFlightMax, ids.length);
    const puts: Promise<void>[] = [];
    for (let index = start; index < end; index++) {
      const random = new SeededRandom(seed, index);
      const bytes = encodeSafetensors(await noisyCopy(tensors, { relative: noise, random, pace }));
      blobBytes = bytes.length;
      const put = storage.put(bytes).then((digest) => void (blobs[index] = digest));
      // Its failure is told when all have been begun, or when another one's has been.
      put.catch(() => {});
      puts.push(put);
    }
    await Promise.all(puts);
  }
  return { blobs, blobBytes };
}

/** What the versions' rows name. */
function blobsOf(versions: readonly Version[]): readonly Digest[] {
  return versions.flatMap(({ blob, evidence }) => [blob, ...(evidence ? [evidence] : [])]);
}

async function noisyCopy(tensors: Weights, options: NoiseOptions): Promise<Weights> {
  const copy = new Map<string, Weight>();
  for (const [name, tensor] of tensors) copy.set(name, await withNoise(tensor, options));
  return copy;
}

function unchanged(noise: number): StrataError {
  const message = `Cannot derive models: noise: ${noise} is too little to change the weights`;
  return new StrataError("INVALID_ARGUMENT", message, { field: "noise" });
}
