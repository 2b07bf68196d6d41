/** Bases and vPLMs as one list of models. */
import type {
  ListedModel,
  Model,
  modelRoutes,
  ModelVersion,
  VplmFacts,
} from "../../contract/models.ts";
import type { VersionWeights } from "../../creator/creator.ts";
import type { BaseModel } from "../../entities/base-model.ts";
import type { Caller } from "../../entities/caller.ts";
import type { Version, VirtualModel } from "../../entities/virtual-model.ts";
import { StrataError } from "../../foundation/errors.ts";
import { limits } from "../../foundation/limits.ts";
import { requireRow, unlessRotten } from "../../storage/checks.ts";
import type { Table, TenantCatalog, VersionTable } from "../../storage/storage.ts";
import { type CheckedVersion, WeightFaults } from "../../storage/weight-faults.ts";
import { figureOf } from "../../tasks/figure.ts";
import { taskKinds } from "../../tasks/task-kinds.ts";
import { pageReply } from "../list-reply.ts";
import type { HandlersOf } from "../operation.ts";
import { rowsOf, unixSeconds } from "../paging.ts";
import type { Services } from "../services.ts";

export function modelHandlers(services: Services): HandlersOf<typeof modelRoutes> {
  const { creator, ids, store, trainer } = services;
  const fits = { count: 0 };
  const faults = new WeightFaults(store);
  const own = (caller: Caller): TenantCatalog => store.catalog.of(caller);
  return {
    listModels: async ({ caller, query }) =>
      pageReply(modelRows({ ...services, faults }, caller, query.after), {
        limit: query.limit,
        toItem: (row) => row,
      }),
    retrieveModel: async ({ caller, params }) => {
      const base = await store.catalog.bases.get(params.id);
      return base === undefined
        ? shownVplm(faults, caller, await modelNamed(own(caller), params.id))
        : baseObject(base);
    },
    deleteModel: async ({ caller, params }) => {
      if ((await store.catalog.bases.get(params.id)) !== undefined)
        throw new StrataError("FORBIDDEN", `Cannot delete "${params.id}": it is a base model`, {
          field: "model",
        });
      const model = await unlessRotten(modelNamed(own(caller), params.id));
      await (model === undefined
        ? creator.discard(caller, params.id)
        : creator.delete(caller, model));
      return { id: params.id, object: "model", deleted: true };
    },
    createModel: async ({
      caller,
      body: { id, base, task, labels, training_file: trainingFile },
      signal,
    }) => {
      if (trainingFile === undefined)
        return vplmObject(await creator.create(caller, { id, base, task, labels }), null);
      // With its instant version, or not at all.
      const fit = async (): Promise<VersionWeights> => {
        const target = task && { id, task, labels: [] };
        const weights = await trainer.fitInstant(caller, { base, target, trainingFile, signal });
        signal.throwIfAborted();
        return weights;
      };
      const model = await withinFits(fits, () => creator.create(caller, { id, base }, fit));
      return vplmObject(model, null);
    },
    deriveModels: async ({ caller, params, body, signal }) => {
      const source = await modelNamed(own(caller), params.id);
      const { count = 0, noise, seed } = body;
      const names = body.ids ?? Array.from({ length: count }, () => ids.next("derived-"));
      const models = await creator.derive(caller, { source, ids: names, noise, seed, signal });
      return pageReply(models, { limit: models.length, toItem: (row) => listedVplm(row, null) });
    },
    ...versionHandlers(services, faults),
  };
}

type VersionRoute = "listVersions" | "deleteVersion" | "serveVersion";

function versionHandlers(
  services: Services,
  faults: WeightFaults,
): Pick<HandlersOf<typeof modelRoutes>, VersionRoute> {
  const { clock, creator, store } = services;
  const own = (caller: Caller): TenantCatalog => store.catalog.of(caller);
  return {
    listVersions: async ({ caller, params, query }) => {
      const model = await modelNamed(own(caller), params.id);
      const { limit, after } = query;
      const table = numbered(own(caller).versions, model);
      const rows = faults.ofEach(rowsOf(table, clock, { after: after?.toString() }), limit);
      const toItem = (row: CheckedVersion): ModelVersion => versionObject(row, model);
      return pageReply(rows, { limit, toItem });
    },
    deleteVersion: async ({ caller, params }) => {
      const model = await modelNamed(own(caller), params.id);
      const { version } = params;
      await creator.deleteVersion(caller, model, version);
      return { object: "model.version", model: model.id, version, deleted: true };
    },
    serveVersion: async ({ caller, params, body }) => {
      const model = await modelNamed(own(caller), params.id);
      return shownVplm(faults, caller, await creator.serve(caller, model, body.version));
    },
  };
}

/** The model's versions as rows that are named by their numbers. */
function numbered(
  versions: Pick<VersionTable, "list">,
  { incarnation }: VirtualModel,
): Pick<Table<Version & { readonly id: string }>, "list"> {
  return {
    async list({ after = "0", limit }) {
      const rows = await versions.list(incarnation, { after: Number(after), limit });
      return rows.map((row) => ({ ...row, id: String(row.number) }));
    },
  };
}

/** Bases, which are few, come first; then vPLMs in order of creation. */
async function* modelRows(
  { store, clock, faults }: Services & { readonly faults: WeightFaults },
  caller: Caller,
  after?: string,
): AsyncGenerator<Model | ListedModel, void, undefined> {
  const { bases } = store.catalog;
  const { models } = store.catalog.of(caller);
  const isAfterBase = after === undefined || (await bases.get(after)) !== undefined;
  if (isAfterBase) for await (const base of rowsOf(bases, clock, { after })) yield baseObject(base);
  const rest = isAfterBase ? {} : { after };
  const faultOf = await faults.known(caller);
  for await (const model of rowsOf(models, clock, rest)) yield listedVplm(model, faultOf(model));
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

function modelNamed({ models }: TenantCatalog, id: string): Promise<VirtualModel> {
  return requireRow("model", models, { id, field: "model" });
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

/** A model for which its weights are read, to tell whether it can answer. */
async function shownVplm(
  faults: WeightFaults,
  caller: Caller,
  model: VirtualModel,
): Promise<Model> {
  return vplmObject(model, await faults.ofServed(caller, model));
}

function vplmObject(model: VirtualModel, fault: string | null): Model {
  return {
    id: model.id,
    object: "model",
    created: unixSeconds(model.createdAt),
    owned_by: "strata",
    parent: model.base,
    root: model.base,
    strata: vplmFacts(model, fault),
  };
}

/**
 * Shows as many labels as fit into what a list may show of one model: the others it has when asked.
 */
function listedVplm(model: VirtualModel, fault: string | null): ListedModel {
  let characters = 0;
  const fitting = model.labels.findIndex(
    (label) => (characters += label.length) > limits.listedLabelCharactersMax,
  );
  const labels = fitting === -1 ? model.labels : model.labels.slice(0, fitting);
  const strata = { ...vplmFacts({ ...model, labels }, fault), label_count: model.labels.length };
  return { ...vplmObject(model, fault), strata };
}

function vplmFacts(model: VirtualModel, fault: string | null): VplmFacts {
  return {
    kind: "vplm",
    task: model.task,
    labels: [...model.labels],
    version: model.servedVersion ?? null,
    fault,
  };
}

function adapterObject(adapter: Version["adapter"]): ModelVersion["adapter"] {
  return adapter === undefined ? null : { ...adapter, layers: [...adapter.layers] };
}

function figureObject({ task, metrics }: Version): ModelVersion["figure"] {
  const figure = figureOf(taskKinds[task], metrics);
  if (figure === undefined) return null;
  const { name, value, low = null, high = null, count = null } = figure;
  return { name, value, low, high, count };
}

function versionObject({ version, fault }: CheckedVersion, model: VirtualModel): ModelVersion {
  return {
    object: "model.version",
    model: model.id,
    version: version.number,
    kind: version.kind,
    is_served: version.number === model.servedVersion,
    digest: version.blob,
    fault,
    bytes: version.blobBytes,
    task: version.task,
    adapter: adapterObject(version.adapter),
    form: version.form,
    domain: version.domain ?? null,
    pooling: version.pooling,
    precision: version.precision,
    figure: figureObject(version),
    metrics: { ...version.metrics },
    outcome: version.outcome ?? null,
    verdict: version.verdict ?? null,
    job: version.job ?? null,
    created_at: unixSeconds(version.createdAt),
  };
}
