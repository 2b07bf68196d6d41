/**
 * A server's components, put together over a store, bases and engines: the one place that names
 * them all. What surrounds them (disks, threads, sockets, the time) comes in, so that whoever has
 * other surroundings, as a simulator has, puts the same server together.
 */
import { createCreator } from "../creator/store-creator.ts";
import type { Creator } from "../creator/creator.ts";
import type { Tenant } from "../entities/caller.ts";
import { createFiles } from "../files/store-files.ts";
import type { Clock } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Ids } from "../foundation/random.ts";
import { createHttp, type Http } from "../http/http.ts";
import type { Services } from "../http/services.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { BatchingProcessor } from "../processor/batching-processor.ts";
import { ModelDirectory } from "../processor/model-directory.ts";
import type { Processor } from "../processor/processor.ts";
import type { Store } from "../storage/storage.ts";
import { JobTrainer } from "../trainer/job-trainer.ts";
import type { Trainer } from "../trainer/trainer.ts";
import type { Engines } from "./engines.ts";
import type { ServerTelemetry } from "./telemetry.ts";

/** Who may come in, and what is at the door for anyone. */
export type Door = Pick<
  Services,
  "authenticator" | "version" | "documents" | "corsOrigins" | "checkHost"
>;

export interface ServerParts {
  readonly store: Store;
  readonly engines: Engines;
  /** Why a base that has not been loaded is not served, in words that end a sentence. */
  whyRefused(base: string): string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly telemetry: Omit<ServerTelemetry, "flush">;
  readonly door: Door;
  readonly around?: Around;
}

/** What is put around a component, before the others get it; each may look into the store. */
export interface Around {
  directory?(directory: ModelDirectory, store: Store): ModelDirectory;
  creator?(creator: Creator, store: Store): Creator;
  trainer?(trainer: Trainer, store: Store): Trainer;
}

export interface ComposedServer {
  readonly http: Http;
  readonly processor: Processor;
  readonly trainer: Trainer;
  /**
   * Stops: `drain` lets the requests that have begun come to their end. The job that runs does not
   * wait for them, nor they for it: it is run again from its data after the next start, and what it
   * computes meanwhile would only take the cores from them. The store must stay open until then.
   */
  stop(drain: () => Promise<void>): Promise<void>;
}

/** The jobs of an earlier process are queued before the first request can bring another one. */
export async function composeServer(parts: ServerParts): Promise<ComposedServer> {
  const { store, engines, whyRefused, clock, ids, telemetry, door, around = {} } = parts;
  const found = new ModelDirectory(store.catalog);
  const directory = around.directory?.(found, store) ?? found;
  const onChange = (tenant: Tenant, model: string): void => directory.forget(tenant, model);
  const made = createCreator({ store, clock, ids, onChange });
  const creator = around.creator?.(made, store) ?? made;
  const { engine, bases } = engines;
  const { log } = telemetry;
  const processor = new BatchingProcessor({ engine, bases, directory, clock, log, whyRefused });
  const files = createFiles({ store, clock, ids });
  const shared = { store, creator, files, clock, ids, telemetry };
  const findBase = (id: string): TrainingBase =>
    engines.trainingBases.get(id) ?? cannotTrain(whyRefused(id));
  const openBase = async (id: string): Promise<TrainingBase> => findBase(id);
  const jobs = new JobTrainer({ ...shared, openBase, checkBase: findBase });
  const trainer = around.trainer?.(jobs, store) ?? jobs;
  await trainer.start();
  const metricsText = async (): Promise<string> => {
    telemetry.metrics.set("strata_models", await store.catalog.system.countModels());
    return telemetry.metricsText();
  };
  const http = createHttp({ ...door, ...shared, trainer, processor, metricsText });
  return { http, processor, trainer, stop: (drain) => stop({ http, trainer }, drain) };
}

async function stop(
  { http, trainer }: Pick<ComposedServer, "http" | "trainer">,
  drain: () => Promise<void>,
): Promise<void> {
  http.drain();
  const [rested, drained] = await Promise.allSettled([trainer.close(), drain()]);
  for (const outcome of [rested, drained]) if (outcome.status === "rejected") throw outcome.reason;
}

function cannotTrain(reason: string): never {
  throw new StrataError("CONFLICT", `Cannot train: ${reason}`);
}
