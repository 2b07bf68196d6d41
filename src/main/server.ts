/** A whole server: store, engine, trainer, HTTP. The one place that names them all. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { listPulledBases, type PulledBase } from "../checkpoints/base-cache.ts";
import { type BaseWeights, loadBaseWeights } from "../checkpoints/base-weights.ts";
import { openCheckpoint } from "../checkpoints/folder.ts";
import { decodeSafetensors } from "../checkpoints/safetensors.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import { createCreator } from "../creator/store-creator.ts";
import type { Precision } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Ids } from "../foundation/random.ts";
import { createHttp } from "../http/http.ts";
import { listen } from "../http/listen.ts";
import { AdapterPool } from "../processor/adapter-pool.ts";
import { BatchingProcessor } from "../processor/batching-processor.ts";
import { ModelDirectory } from "../processor/model-directory.ts";
import { openBase, type OpenBase } from "../processor/open-base.ts";
import type { Processor } from "../processor/processor.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { openFileStore } from "../storage/files/file-store.ts";
import type { Store } from "../storage/storage.ts";
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
}

export interface Server {
  readonly url: string;
  readonly store: Store;
  readonly processor: Processor;
  readonly trainer: Trainer;
  close(): Promise<void>;
}

/** Bytes of shared memory for resident adapters and heads. */
const poolBytes = 512 * 1024 * 1024;

/** CONFLICT when there is no base model or the home is in use. */
export async function openServer(options: ServerOptions): Promise<Server> {
  const store = await openFileStore(join(options.home, "store"));
  try {
    return await openOn(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openOn(store: Store, options: ServerOptions): Promise<Server> {
  const { clock, ids, telemetry, precision } = options;
  const directory = new ModelDirectory(store.catalog);
  const creator = createCreator({ store, clock, onChange: (model) => directory.forget(model) });
  const pool = new AdapterPool({
    bytes: poolBytes,
    metrics: telemetry.metrics,
    load: async (blob) => {
      const file = decodeSafetensors(await store.blobs.get(blob));
      return new Map(file.names.map((name) => [name, file.tensor(name).values]));
    },
  });
  const workerCount = options.workerCount ?? availableParallelism();
  const workers = Array.from(
    { length: workerCount },
    () => new OrtRuntime({ threadCount: 1, spinUs: 0 }),
  );
  const trainingRuntime = new OrtRuntime({ threadCount: availableParallelism(), spinUs: 0 });
  const bases = await openBases(store, { ...options, pool, workers, trainingRuntime });
  const processor = new BatchingProcessor({
    directory,
    pool,
    clock,
    bases: new Map(bases.map(({ served }) => [served.id, served])),
    close: async () => {
      for (const runtime of [...workers, trainingRuntime]) await runtime.close();
    },
  });
  const trainers = new Map(
    bases.map(({ served: { id, checkpoint }, weights }) => [
      id,
      new TrainingBase({ checkpoint, weights, precision, runtime: trainingRuntime }),
    ]),
  );
  const trainer = new JobTrainer({
    store,
    creator,
    clock,
    ids,
    telemetry,
    openBase: async (id) => trainers.get(id) ?? notLoaded(id),
  });
  const http = createHttp({
    store,
    creator,
    trainer,
    processor,
    telemetry,
    clock,
    ids,
    apiKey: options.apiKey,
    version: options.version,
    metricsText: () => telemetry.metricsText(),
    pages: new Map([["/", page]]),
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

interface LoadedBase {
  readonly served: OpenBase;
  readonly weights: BaseWeights;
}

interface BaseOptions extends ServerOptions {
  readonly pool: AdapterPool;
  readonly workers: readonly OrtRuntime[];
  readonly trainingRuntime: OrtRuntime;
}

/** Loads every base model of the home and enters it into the catalog. */
async function openBases(store: Store, options: BaseOptions): Promise<readonly LoadedBase[]> {
  const pulled = await listPulledBases(options.cacheFolder);
  if (pulled.length === 0)
    throw new StrataError(
      "CONFLICT",
      "Cannot serve: there is no base model; get one with `strata base pull all-MiniLM-L6-v2`",
    );
  const loaded: LoadedBase[] = [];
  for (const base of pulled) {
    await enter(store, base);
    const checkpoint = await openCheckpoint(base.folder);
    loaded.push(await load(base.id, checkpoint, options));
  }
  return loaded;
}

async function load(id: string, checkpoint: Checkpoint, options: BaseOptions): Promise<LoadedBase> {
  const { pool, workers: runtimes, precision, clock, telemetry } = options;
  const first = present(runtimes[0], "there is a worker");
  const weights = await loadBaseWeights(checkpoint, first);
  const { memory } = pool;
  const served = await openBase({
    id,
    checkpoint,
    weights,
    precision,
    runtimes,
    memory,
    clock,
    telemetry,
  });
  return { served, weights };
}

/** vPLMs were fitted to certain bytes: another base of the same name must not answer for it. */
async function enter(store: Store, { folder: _, ...base }: PulledBase): Promise<void> {
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
  throw new StrataError(
    "CONFLICT",
    `Cannot train: base model "${id}" is not loaded on this server`,
  );
}
