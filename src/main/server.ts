/** A whole server: store, engine, trainer, HTTP. The one place that names them all. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { listPulledBases } from "../checkpoints/base-cache.ts";
import { loadBaseWeights } from "../checkpoints/base-weights.ts";
import { openCheckpoint } from "../checkpoints/folder.ts";
import { createCreator } from "../creator/store-creator.ts";
import type { BaseModel, Precision } from "../entities/base-model.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Ids } from "../foundation/random.ts";
import { hostCheck, isLoopback } from "../http/hosts.ts";
import { createHttp } from "../http/http.ts";
import { listen } from "../http/listen.ts";
import { AdapterPool } from "../processor/adapter-pool.ts";
import { BatchingProcessor } from "../processor/batching-processor.ts";
import { ModelDirectory } from "../processor/model-directory.ts";
import { openBase, type OpenBase } from "../processor/open-base.ts";
import type { Processor } from "../processor/processor.ts";
import { versionLoader } from "../processor/version-weights.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { openFileStore } from "../storage/files/file-store.ts";
import type { Store } from "../storage/storage.ts";
import { sweepBlobs } from "../storage/sweep.ts";
import { JobTrainer } from "../trainer/job-trainer.ts";
import { TrainingBase } from "../trainer/training-base.ts";
import type { Trainer } from "../trainer/trainer.ts";
import { page } from "../web/page.ts";
import type { ServerTelemetry } from "./telemetry.ts";

export interface ServerOptions {
  readonly home: string;
  /** Where base models are. */
  readonly cacheFolder: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly apiKey: string;
  readonly precision: Precision;
  /** By default one worker thread per core. */
  readonly workerCount?: number | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly telemetry: ServerTelemetry;
  readonly version: string;
  /** Origins whose pages may call; none by default. */
  readonly corsOrigins?: readonly string[];
  /** Names, beside its own, by which a server on the loopback may be called. */
  readonly hostNames?: readonly string[];
}

export interface Server {
  readonly url: string;
  readonly store: Store;
  readonly processor: Processor;
  readonly trainer: Trainer;
  close(): Promise<void>;
}

/** CONFLICT when there is no base model or the home is in use. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const store = await openFileStore(join(options.home, "store"), {
    log: options.telemetry.log,
  });
  try {
    return await openOn(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openOn(store: Store, options: ServerOptions): Promise<Server> {
  const { clock, ids, telemetry } = options;
  await sweep(store, options);
  const engines = await openEngines(store, options);
  const directory = new ModelDirectory(store.catalog);
  const creator = createCreator({
    store,
    clock,
    ids,
    onChange: (model) => directory.forget(model),
  });
  const processor = new BatchingProcessor({ ...engines, directory, clock });
  const parts = { store, creator, clock, ids, telemetry };
  const trainer = new JobTrainer({
    ...parts,
    openBase: async (id) => engines.trainingBases.get(id) ?? notLoaded(id),
  });
  const http = createHttp({
    ...parts,
    trainer,
    processor,
    apiKey: options.apiKey,
    version: options.version,
    metricsText: async () => {
      telemetry.metrics.set("strata_models", await store.catalog.models.count());
      return telemetry.metricsText();
    },
    pages: new Map([["/", page]]),
    corsOrigins: options.corsOrigins ?? [],
    ...(isLoopback(options.host) && {
      checkHost: hostCheck(options.host, options.hostNames ?? []),
    }),
  });
  const listener = await listen(http, { clock, port: options.port, host: options.host });
  await trainer.start();
  return {
    url: listener.url,
    store,
    processor,
    trainer,
    async close() {
      await listener.close();
      await trainer.close();
      await processor.close();
      await store.close();
    },
  };
}

/** What cannot be swept, on a full disk or with a damaged row, keeps nobody from serving. */
async function sweep(store: Store, { clock, telemetry }: ServerOptions): Promise<void> {
  const { log } = telemetry;
  try {
    const { quarantinedCount, restoredCount, removedCount } = await sweepBlobs(store, clock.now());
    const keptDays = limits.quarantineDaysMax;
    if (quarantinedCount > 0)
      log.warn("No row names some blobs: they are set aside in the folder quarantine", {
        quarantinedCount,
        keptDays,
      });
    if (restoredCount > 0) log.warn("Rows name blobs of the quarantine again", { restoredCount });
    if (removedCount > 0)
      log.warn("Blobs that nobody has missed left the quarantine", { removedCount, keptDays });
  } catch (error) {
    log.error("Cannot sweep blobs: none was moved", { error });
  }
}

/** All that runs graphs: each base model, loaded for serving and for training. */
interface Engines {
  readonly pool: AdapterPool;
  readonly bases: ReadonlyMap<string, OpenBase>;
  readonly trainingBases: ReadonlyMap<string, TrainingBase>;
  close(): Promise<void>;
}

/** Opens every base model of the cache and enters it into the catalog. */
async function openEngines(store: Store, options: ServerOptions): Promise<Engines> {
  const pulled = await listPulledBases(options.cacheFolder);
  if (pulled.length === 0)
    throw new StrataError(
      "CONFLICT",
      "Cannot serve: there is no base model; get one with `strata base pull all-MiniLM-L6-v2`",
    );
  const { precision, workerCount = availableParallelism() } = options;
  const runtimes = Array.from({ length: workerCount }, () => openRuntime(1));
  const trainingRuntime = openRuntime(availableParallelism());
  const pool = openPool(store, options);
  const bases = new Map<string, OpenBase>();
  const trainingBases = new Map<string, TrainingBase>();
  for (const { folder, ...base } of pulled) {
    await enter(store, base);
    const { id } = base;
    const checkpoint = await openCheckpoint(folder);
    const weights = await loadBaseWeights(checkpoint, trainingRuntime);
    const { memory } = pool;
    const opened = await openBase({ ...options, id, checkpoint, weights, runtimes, memory });
    bases.set(id, opened);
    const training = { checkpoint, weights, precision, runtime: trainingRuntime };
    trainingBases.set(id, new TrainingBase(training));
  }
  const close = async (): Promise<void> => {
    for (const runtime of [...runtimes, trainingRuntime]) await runtime.close();
  };
  return { pool, bases, trainingBases, close };
}

function openRuntime(threadCount: number): OrtRuntime {
  return new OrtRuntime({ threadCount, spinUs: 0 });
}

/** Holds the weights of vPLMs that are called, read from their blobs. */
function openPool(store: Store, { telemetry }: ServerOptions): AdapterPool {
  return new AdapterPool({
    bytes: limits.adapterPoolBytesMax,
    metrics: telemetry.metrics,
    load: versionLoader(store.blobs),
  });
}

/** vPLMs were fitted to certain bytes: another base of the same name must not answer for it. */
async function enter(store: Store, base: BaseModel): Promise<void> {
  const known = await store.catalog.bases.get(base.id);
  if (known === undefined) await store.catalog.bases.insert(base);
  else if (known.digest !== base.digest)
    throw new StrataError(
      "CONFLICT",
      `Cannot serve base model "${base.id}": the store knows ${known.digest}, ` +
        `the cache holds ${base.digest}`,
    );
}

function notLoaded(id: string): never {
  throw new StrataError("CONFLICT", `Cannot train: base model "${id}" is not loaded here`);
}
