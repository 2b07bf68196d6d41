/** Bases and vPLMs as one list of models. */
import type { Model, modelRoutes, ModelVersion } from "../contract/models.ts";
import { checkTrainable } from "../datasets/datasets.ts";
import { detectFormat, readDatasetInSteps } from "../datasets/read.ts";
import type { BaseModel } from "../entities/base-model.ts";
import type { Version, VirtualModel } from "../entities/virtual-model.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Store } from "../storage/storage.ts";
import { type Deadline, withinDeadline } from "./deadline.ts";
import { requireFile } from "./files.ts";
import type { HandlersOf } from "./operation.ts";
import { pageOf, unixSeconds } from "./paging.ts";
import type { Services } from "./services.ts";

export function modelHandlers(services: Services): HandlersOf<typeof modelRoutes> {
  const { clock, creator, ids, store } = services;
  const fits = { count: 0 };
  const deadlineOf = ({ signal: client }: Request): Deadline => ({
    clock,
    client,
    waitMsMax: limits.modelCreationMsMax,
  });
  return {
    listModels: async ({ query }) =>
      pageOf(await modelRows(store, query.limit + 1, query.after), query.limit, (model) => model),
    retrieveModel: async ({ params }) => {
      const base = await store.catalog.bases.get(params.id);
      return base === undefined
        ? vplmObject(await requireModel(store, params.id))
        : baseObject(base);
    },
    deleteModel: async ({ params }) => {
      if ((await store.catalog.bases.get(params.id)) !== undefined)
        throw new StrataError("FORBIDDEN", `Cannot delete "${params.id}": it is a base model`, {
          field: "model",
        });
      await creator.delete(await requireModel(store, params.id));
      return { id: params.id, object: "model", deleted: true };
    },
    createModel: async ({ body: { id, base, labels, training_file: file }, request }) =>
      vplmObject(
        file === undefined
          ? await creator.create({ id, base, labels: labels ?? [] })
          : await withinDeadline(deadlineOf(request), (signal) =>
              withinFits(fits, () => createFromFile(services, { id, base, file, signal })),
            ),
      ),
    deriveModels: async ({ params, body, request }) => {
      const source = await requireModel(store, params.id);
      const { count = 0, noise, seed } = body;
      const names = body.ids ?? Array.from({ length: count }, () => ids.next("derived-"));
      const models = await withinDeadline(deadlineOf(request), (signal) =>
        creator.derive({ source, ids: names, noise, seed, signal }),
      );
      return pageOf(models, models.length, vplmObject);
    },
    listVersions: async ({ params }) => {
      const model = await requireModel(store, params.id);
      const versions = await store.catalog.versions.list(model.incarnation);
      return pageOf(versions, versions.length, (row) => versionObject(row, model));
    },
    serveVersion: async ({ params, body }) => {
      const model = await requireModel(store, params.id);
      return vplmObject(await creator.serve(model, body.version));
    },
  };
}

/** Bases, which are few, come first; then vPLMs in order of creation. */
async function modelRows(store: Store, limit: number, after?: string): Promise<readonly Model[]> {
  const { bases, models } = store.catalog;
  const isAfterBase = after === undefined || (await bases.get(after)) !== undefined;
  const cursor = after === undefined ? {} : { after };
  if (!isAfterBase) return (await models.list({ limit, ...cursor })).map(vplmObject);
  const first = (await bases.list({ limit, ...cursor })).map(baseObject);
  if (first.length === limit) return first;
  return [...first, ...(await models.list({ limit: limit - first.length })).map(vplmObject)];
}

/** OVERLOADED while as many fits as may run at once do: each holds its data in memory. */
async function withinFits<T>(fits: { count: number }, work: () => Promise<T>): Promise<T> {
  const { instantFitCountMax } = limits;
  if (fits.count >= instantFitCountMax)
    throw new StrataError(
      "OVERLOADED",
      `Cannot create the model: ${fits.count} are being fitted, the limit is ${instantFitCountMax}`,
      { retryAfterMs: 5_000 },
    );
  fits.count += 1;
  try {
    return await work();
  } finally {
    fits.count -= 1;
  }
}

/** A model with its instant version, or none at all. */
async function createFromFile(
  services: Services,
  wanted: {
    readonly id: string;
    readonly base: string;
    readonly file: string;
    readonly signal: AbortSignal;
  },
): Promise<VirtualModel> {
  const { creator, store, trainer } = services;
  const { id, base, signal } = wanted;
  const file = await requireFile(store, wanted.file, "training_file");
  const bytes = await store.blobs.get(file.blob);
  const dataset = await readDatasetInSteps(bytes, detectFormat(file.filename, bytes), signal);
  checkTrainable(dataset);
  const { labels } = dataset;
  return creator.create({ id, base, labels }, async () => {
    const weights = await trainer.fitInstant({ base, trainingFile: file.id, labels, signal });
    signal.throwIfAborted();
    return weights;
  });
}

async function requireModel(store: Store, id: string): Promise<VirtualModel> {
  const model = await store.catalog.models.get(id);
  if (model !== undefined) return model;
  throw new StrataError("NOT_FOUND", `The model "${id}" does not exist`, { field: "model" });
}

function baseObject(base: BaseModel): Model {
  return {
    id: base.id,
    object: "model",
    created: unixSeconds(base.createdAt),
    owned_by: "strata",
    parent: null,
    root: base.id,
    strata: {
      kind: "base",
      hidden_size: base.config.hiddenSize,
      layer_count: base.config.layerCount,
      tokens_max: base.tokensMax,
      pooling: base.pooling,
      source: base.source,
      digest: base.digest,
    },
  };
}

function vplmObject(model: VirtualModel): Model {
  return {
    id: model.id,
    object: "model",
    created: unixSeconds(model.createdAt),
    owned_by: "strata",
    parent: model.base,
    root: model.base,
    strata: {
      kind: "vplm",
      task: model.task,
      labels: [...model.labels],
      version: model.servedVersion ?? null,
    },
  };
}

function versionObject(version: Version, model: VirtualModel): ModelVersion {
  return {
    object: "model.version",
    model: model.id,
    version: version.number,
    kind: version.kind,
    is_served: version.number === model.servedVersion,
    digest: version.blob,
    bytes: version.blobBytes,
    rank: version.rank,
    pooling: version.pooling,
    precision: version.precision,
    metrics: { ...version.metrics },
    verdict: version.verdict ?? null,
    job: version.job ?? null,
    created_at: unixSeconds(version.createdAt),
  };
}
