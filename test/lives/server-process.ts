/**
 * One process of the server on the simulated machine: the components are Strata's own, put together
 * by `server/`, and what surrounds them is simulated.
 */
import type { Ids, Random } from "../../src/foundation/random.ts";
import type { Digest } from "../../src/foundation/digest.ts";
import { silentTelemetry, type Telemetry } from "../../src/foundation/telemetry.ts";
import { takeThread } from "../../src/foundation/turn.ts";
import { solveRidge } from "../../src/learning/ridge.ts";
import { TrainingBase } from "../../src/learning/training-base.ts";
import { decodeWeights } from "../../src/formats/safetensors.ts";
import { AdapterPool } from "../../src/engine/adapter-pool.ts";
import { Engine } from "../../src/engine/engine.ts";
import { openBase } from "../../src/processor/open-base.ts";
import { Workers } from "../../src/engine/workers.ts";
import { BlobKeeper } from "../../src/storage/blob-keeper.ts";
import { openFileBlobs } from "../../src/storage/files/file-blobs.ts";
import { Reserve } from "../../src/storage/files/reserve.ts";
import { type ComposedServer, composeServer } from "../../src/server/compose-server.ts";
import type { Engines } from "../../src/server/engines.ts";
import type { Store } from "../../src/storage/storage.ts";
import { type Machine, storeFolder } from "./machine.ts";
import type { Plant } from "./planted.ts";
import { SimulatedFiles } from "./simulated-files.ts";
import { authenticator } from "./tenants.ts";
import { baseModel, baseName, SlowRuntime, tinyCheckpoint } from "./tiny-base.ts";
import type { Lifetime } from "./virtual-time.ts";

const reserveBytes = 8 * 1024;
const workerCount = 2;

export type ServerProcess = Pick<ComposedServer, "http" | "stop">;

/** Starts a process; it fails when a fault strikes that a start does not survive. */
export async function startProcess(
  machine: Machine,
  { life, plant }: { readonly life: Lifetime; readonly plant: Plant },
): Promise<ServerProcess> {
  takeThread(life);
  const telemetry = {
    ...silentTelemetry,
    log: {
      ...silentTelemetry.log,
      error: (message: string, fields?: object) =>
        machine.trace.say(`log ${message} ${shown(fields)}`),
    },
    metricsText: async () => "",
  };
  const surroundings = { life, telemetry, plant };
  const store = await openStore(machine, surroundings);
  return composeServer({
    store,
    engines: await openEngines(machine, { ...surroundings, store }),
    whyRefused: (id) => `there is no base "${id}"`,
    clock: life,
    ids: plant.ids?.(idsOf(machine.random)) ?? idsOf(machine.random),
    telemetry,
    door: { authenticator, version: "0.0.0" },
    around: plant,
  });
}

interface Surroundings {
  readonly life: Lifetime;
  readonly telemetry: Telemetry;
  readonly plant: Plant;
}

async function openStore(
  machine: Machine,
  { life, telemetry, plant }: Surroundings,
): Promise<Store> {
  const { time, faults } = machine;
  const simulated = new SimulatedFiles({
    disk: machine.disk,
    life,
    time,
    faults,
    trace: machine.trace,
    note: (bytes) => machine.note(bytes),
    victim: () => machine.victim(),
    misdirect: (path, target, bytes) => machine.misdirect(path, target, bytes),
  });
  const files = plant.files?.(simulated) ?? simulated;
  const reserve = new Reserve(storeFolder, { files, bytes: reserveBytes });
  const opened = await openFileBlobs(storeFolder, { files, reserve });
  const blobs = plant.blobs?.(opened.blobs, machine) ?? opened.blobs;
  const { log } = telemetry;
  const { reading: onReading } = plant;
  const own = await machine.catalog.open({ life, time, faults, reserve, log, onReading });
  const catalog = plant.catalog?.(own, machine) ?? own;
  await reserve.take();
  const kept = { blobs, quarantine: opened.quarantine, catalog };
  const keeper = plant.keeper?.(kept) ?? new BlobKeeper(kept);
  const store: Store = { blobs, catalog, keeper, close: async () => {} };
  const sweep = await keeper.sweep(life.now()).catch(() => undefined);
  if (sweep !== undefined) machine.onSwept();
  if ((await catalog.bases.get(baseName)) === undefined) await catalog.bases.insert(baseModel);
  return store;
}

async function openEngines(
  machine: Machine,
  { life, telemetry, store, plant }: Surroundings & { readonly store: Store },
): Promise<Engines> {
  const { time, faults, weights } = machine;
  const delays = { life, time, faults };
  const options = {
    bytes: machine.poolBytes,
    metrics: telemetry.metrics,
    load: async (blob: Digest) => decodeWeights(await store.blobs.get(blob)),
  };
  const pool = plant.pool?.(options) ?? new AdapterPool(options);
  const checkpoint = tinyCheckpoint(delays);
  const [runtime, precision] = [new SlowRuntime(delays), "fp32"] as const;
  runtime.isMeasured = false;
  const runtimes = Array.from(
    { length: workerCount },
    () => new SlowRuntime(delays, machine.slowness),
  );
  const workers = new Workers(runtimes);
  const { memory } = pool;
  const serving = { checkpoint, weights, precision, workers, memory, clock: life };
  const opened = await openBase({ id: baseName, ...serving });
  const base = plant.base?.(opened) ?? opened;
  for (const each of runtimes) each.isMeasured = false;
  const training = new TrainingBase({
    checkpoint,
    weights,
    precision,
    runtime,
    solve: async (problem, signal) => {
      await life.wait();
      signal?.throwIfAborted();
      return solveRidge(problem);
    },
  });
  return {
    engine: new Engine({ workers, pool, clock: life, telemetry }),
    bases: new Map([[baseName, base]]),
    trainingBases: new Map([[baseName, training]]),
  };
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

function idsOf(random: Random): Ids {
  return {
    next(prefix) {
      let id: string = prefix;
      for (let count = 0; count < 24; count++) id += alphabet[random.integer(alphabet.length)];
      return id as `${typeof prefix}${string}`; // It begins with the prefix.
    },
  };
}

/** The fields of a log line; errors with their stacks and causes. */
function shown(fields: unknown): string {
  return JSON.stringify(fields, (_, value: unknown) =>
    value instanceof Error ? { stack: value.stack, cause: value.cause } : value,
  );
}
