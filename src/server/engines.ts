/** All that runs graphs: the base models of the cache, loaded for serving and for training. */
import { availableParallelism } from "node:os";
import type { Bases } from "../bases/bases.ts";
import { listCachedBases, openBaseCheckpoint, type PulledBase } from "../sources/base-cache.ts";
import { loadBaseWeights } from "../checkpoints/base-weights.ts";
import type { Precision } from "../entities/base-model.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import type { Clock } from "../foundation/clock.ts";
import { CloseStack } from "../foundation/close-stack.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import { AdapterPool } from "../engine/adapter-pool.ts";
import { Engine } from "../engine/engine.ts";
import { openBase, type OpenBase } from "../processor/open-base.ts";
import { Workers } from "../engine/workers.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import type { Store } from "../storage/storage.ts";
import { TrainingBase } from "../learning/training-base.ts";

export interface EngineOptions {
  /** The folder of the base models. */
  readonly cacheFolder: string;
  readonly precision: Precision;
  /** Worker threads; by default one per core. */
  readonly workerCount?: number | undefined;
  /** It is told the name of each base before that is opened. */
  readonly onOpening?: (base: string) => void;
  /** Stops the start between two bases, with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** What the bases are loaded for. */
export interface Home {
  readonly store: Store;
  readonly bases: Bases;
}

export interface Engines {
  readonly engine: Engine;
  readonly bases: ReadonlyMap<string, OpenBase>;
  readonly trainingBases: ReadonlyMap<string, TrainingBase>;
}

/** Whoever has opened them closes them, when nothing runs on them any more. */
export interface OpenEngines extends Engines {
  close(): Promise<void>;
}

/**
 * Opens every base model of the cache that the home admits. When none can be served, the error
 * says why: CONFLICT when there is none at all.
 */
export async function openEngines(
  { store, bases: admission }: Home,
  options: EngineOptions,
): Promise<OpenEngines> {
  const opened = new CloseStack();
  try {
    const engines = await openAll(openRoom(store, options, opened), admission);
    return { ...engines, close: () => opened.close() };
  } catch (error) {
    // What failed first is what the caller must know.
    await opened.close().catch(() => {});
    throw error;
  }
}

/** What the bases share. */
interface Room extends EngineOptions {
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
    workers: new Workers(Array.from({ length: workerCount }, () => openRuntime(1))),
    trainingRuntime: openRuntime(availableParallelism()),
    pool: openPool(store, options),
  };
}

async function openAll(room: Room, admission: Bases): Promise<Engines> {
  const bases = new Map<string, OpenBase>();
  const trainingBases = new Map<string, TrainingBase>();
  for (const found of await listCachedBases(room.cacheFolder)) {
    throwIfStopped(room.signal);
    const opened = await admission.admit(found, (pulled) => {
      room.onOpening?.(pulled.id);
      return openOne(pulled, room);
    });
    if (opened === undefined) continue;
    const [serving, training] = opened;
    bases.set(found.id, serving);
    trainingBases.set(found.id, training);
  }
  admission.requireAny();
  await admission.refuseAbsent();
  return { engine: new Engine(room), bases, trainingBases };
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

async function openOne(pulled: PulledBase, room: Room): Promise<readonly [OpenBase, TrainingBase]> {
  const { precision, trainingRuntime: runtime } = room;
  const checkpoint = await openBaseCheckpoint(pulled);
  const weights = await loadBaseWeights(checkpoint, runtime, precision);
  const { memory } = room.pool;
  const serving = await openBase({ ...room, id: pulled.id, checkpoint, weights, memory });
  // Nobody waits yet.
  serving.prepare();
  return [serving, new TrainingBase({ checkpoint, weights, precision, runtime })];
}
