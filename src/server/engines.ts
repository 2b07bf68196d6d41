/**
 * All that runs graphs: the base models of the cache, loaded for serving and for training. One that
 * cannot be served is named with its reason and does not keep the others from being served.
 */
import { AssertionError } from "node:assert";
import { availableParallelism } from "node:os";
import { type CachedBase, listCachedBases, openBaseCheckpoint } from "../checkpoints/base-cache.ts";
import { loadBaseWeights } from "../checkpoints/base-weights.ts";
import type { BaseModel, Precision } from "../entities/base-model.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import type { Clock } from "../foundation/clock.ts";
import { CloseStack } from "../foundation/close-stack.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import { AdapterPool } from "../processor/adapter-pool.ts";
import { Engine } from "../processor/engine.ts";
import { openBase, type OpenBase } from "../processor/open-base.ts";
import { Workers } from "../processor/workers.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { allRows } from "../storage/all-rows.ts";
import type { Store } from "../storage/storage.ts";
import { TrainingBase } from "../learning/training-base.ts";
import { nameTaken, otherBytes } from "./base-conflicts.ts";

export interface EngineOptions {
  /** Where base models are. */
  readonly cacheFolder: string;
  readonly precision: Precision;
  /** By default one worker thread per core. */
  readonly workerCount?: number | undefined;
  /** Stops the start between two bases, with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export interface Engines {
  readonly engine: Engine;
  readonly pool: AdapterPool;
  readonly bases: ReadonlyMap<string, OpenBase>;
  readonly trainingBases: ReadonlyMap<string, TrainingBase>;
  /** Why a base that the cache holds or the catalog knows is not served, by its name. */
  readonly refusals: ReadonlyMap<string, StrataError>;
  close(): Promise<void>;
}

/**
 * Opens every base model of the cache and enters it into the catalog. When none can be served, the
 * error says why: CONFLICT when there is none at all.
 */
export async function openEngines(store: Store, options: EngineOptions): Promise<Engines> {
  const cached = await listCachedBases(options.cacheFolder);
  const opened = new CloseStack();
  try {
    const engines = await openAll(cached, openRoom(store, options, opened));
    return { ...engines, close: () => opened.close() };
  } catch (error) {
    // What failed first is what the caller must know.
    await opened.close().catch(() => {});
    throw error;
  }
}

/** What the bases share, and where they are entered. */
interface Room extends EngineOptions {
  readonly store: Store;
  readonly workers: Workers;
  readonly trainingRuntime: OrtRuntime;
  readonly pool: AdapterPool;
}

function openRoom(store: Store, options: EngineOptions, opened: CloseStack): Room {
  const { workerCount = availableParallelism() } = options;
  const openRuntime = (threadCount: number): OrtRuntime => {
    const runtime = new OrtRuntime({ threadCount, spinUs: 0 }, options.telemetry.log);
    opened.add(() => runtime.close());
    return runtime;
  };
  return {
    ...options,
    store,
    workers: new Workers(Array.from({ length: workerCount }, () => openRuntime(1))),
    trainingRuntime: openRuntime(availableParallelism()),
    pool: openPool(store, options),
  };
}

async function openAll(cached: readonly CachedBase[], room: Room): Promise<Omit<Engines, "close">> {
  const bases = new Map<string, OpenBase>();
  const trainingBases = new Map<string, TrainingBase>();
  const refusals = new Map<string, StrataError>();
  for (const found of cached) {
    throwIfStopped(room.signal);
    try {
      const [serving, training] = await openOne(found, room);
      bases.set(found.id, serving);
      trainingBases.set(found.id, training);
    } catch (error) {
      // A bug of ours is not the base's fault; that its memory cannot be had is.
      if (error instanceof AssertionError) throw error;
      const refusal = wrapError(error, "UNSUPPORTED", `Cannot open base model "${found.id}"`);
      const { code, message } = refusal;
      room.telemetry.log.error("A base model is not served", { base: found.id, code, message });
      refusals.set(found.id, refusal);
    }
  }
  if (bases.size === 0) throw noneLeft(refusals);
  await addAbsent(room, bases, refusals);
  return { engine: new Engine(room), pool: room.pool, bases, trainingBases, refusals };
}

/** CANCELLED when the server was told to stop before it was ready. */
export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new StrataError("CANCELLED", "Cannot serve: stopped while starting");
}

/** Holds the weights of vPLMs that are called, read from their blobs. */
function openPool(store: Store, { telemetry }: EngineOptions): AdapterPool {
  return new AdapterPool({
    bytes: limits.adapterPoolBytesMax,
    metrics: telemetry.metrics,
    load: async (blob) => decodeWeights(await store.blobs.get(blob)),
  });
}

async function openOne(found: CachedBase, room: Room): Promise<readonly [OpenBase, TrainingBase]> {
  if (found.kind === "damaged") throw found.fault;
  const { files: _, folder: __, commit: ___, ...base } = found.base;
  const { store, precision, trainingRuntime: runtime } = room;
  const { id } = base;
  await checkName(store, id);
  const known = await checkDigest(store, base);
  const checkpoint = await openBaseCheckpoint(found.base);
  const weights = await loadBaseWeights(checkpoint, runtime);
  const { memory } = room.pool;
  const serving = await openBase({ ...room, id, checkpoint, weights, memory });
  const training = new TrainingBase({ checkpoint, weights, precision, runtime });
  if (known === undefined) await store.catalog.bases.insert(base);
  else if (known.digest !== base.digest) await store.catalog.bases.update(base);
  return [serving, training];
}

/** A row that an earlier release has entered beside a vPLM of its name is taken away. */
async function checkName({ catalog }: Store, id: string): Promise<void> {
  if (!(await catalog.system.hasModel(id))) return;
  await catalog.bases.delete(id);
  throw nameTaken(id);
}

/** The row of the base, if there is one; other bytes may replace what no vPLM stands on. */
async function checkDigest(store: Store, base: BaseModel): Promise<BaseModel | undefined> {
  const { id, digest, source } = base;
  const known = await store.catalog.bases.get(id);
  if (known === undefined || known.digest === digest) return known;
  const user = await store.catalog.system.modelOn(id);
  if (user === undefined) return known;
  throw otherBytes({ id, user, known: known.digest, found: `${digest} from ${source}` });
}

/** Bases that the catalog knows and the cache does not hold: their models cannot answer. */
async function addAbsent(
  { store, telemetry }: Room,
  bases: ReadonlyMap<string, OpenBase>,
  refusals: Map<string, StrataError>,
): Promise<void> {
  for await (const { id, source } of allRows(store.catalog.bases)) {
    if (bases.has(id) || refusals.has(id)) continue;
    const state = `the cache does not hold it; it came from ${source}`;
    telemetry.log.warn("A base model is not here", { base: id, source });
    refusals.set(id, new StrataError("NOT_FOUND", `Cannot serve base model "${id}": ${state}`));
  }
}

/** The reason of the only base, or of all with the code of the first. */
function noneLeft(refusals: ReadonlyMap<string, StrataError>): StrataError {
  const [first, ...others] = [...refusals.values()];
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
