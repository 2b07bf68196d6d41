/** A whole server: store, engine, trainer, HTTP. The one place that names them all. */
import { join } from "node:path";
import { createBases } from "../bases/store-bases.ts";
import { createCreator } from "../creator/store-creator.ts";
import type { Tenant } from "../entities/caller.ts";
import { CloseStack } from "../foundation/close-stack.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { isLoopback } from "../foundation/loopback.ts";
import type { Ids } from "../foundation/random.ts";
import { operatorKey } from "../http/authentication.ts";
import { hostCheck } from "../http/hosts.ts";
import { createFiles } from "../files/store-files.ts";
import { createHttp } from "../http/http.ts";
import { listen } from "../listener/listener.ts";
import { BatchingProcessor } from "../processor/batching-processor.ts";
import { ModelDirectory } from "../processor/model-directory.ts";
import type { Processor } from "../processor/processor.ts";
import { openFileStore } from "../storage/files/file-store.ts";
import type { Store } from "../storage/storage.ts";
import { JobTrainer } from "../trainer/job-trainer.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import type { Trainer } from "../trainer/trainer.ts";
import { consoleDocument } from "../web/console.ts";
import { type EngineOptions, openEngines, throwIfStopped } from "./engines.ts";
import type { ServerTelemetry } from "./telemetry.ts";

export interface ServerOptions extends EngineOptions {
  readonly home: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly apiKey: string;
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

/**
 * CONFLICT when there is no base model or the home is in use, CANCELLED when `signal` aborts before
 * the server listens. Whatever fails, all that was opened is closed.
 */
export async function openServer(options: ServerOptions): Promise<Server> {
  const opened = new CloseStack();
  opened.add(async () => options.telemetry.flush());
  try {
    return await openOn(opened, options);
  } catch (error) {
    // What failed first is what the caller must know.
    await opened.close().catch(() => {});
    throw error;
  }
}

async function openOn(opened: CloseStack, options: ServerOptions): Promise<Server> {
  const { clock, ids, telemetry, signal } = options;
  const store = await openFileStore(join(options.home, "store"), { log: telemetry.log });
  opened.add(() => store.close());
  await sweep(store, options);
  throwIfStopped(signal);
  const bases = createBases({ store, log: telemetry.log });
  const engines = await openEngines({ store, bases }, options);
  const directory = new ModelDirectory(store.catalog);
  const onChange = (tenant: Tenant, model: string): void => directory.forget(tenant, model);
  const creator = createCreator({ store, clock, ids, onChange });
  const processor = new BatchingProcessor({
    ...engines,
    directory,
    clock,
    whyRefused: (id) => bases.whyRefused(id),
  });
  opened.add(() => processor.close());
  const files = createFiles({ store, clock, ids });
  const parts = { store, creator, files, clock, ids, telemetry };
  const openBase = async (id: string): Promise<TrainingBase> =>
    engines.trainingBases.get(id) ?? cannotTrain(bases.whyRefused(id));
  const trainer = new JobTrainer({ ...parts, openBase });
  opened.add(() => trainer.close());
  throwIfStopped(signal);
  // The jobs of an earlier process are queued before the first request can bring another one.
  await trainer.start();
  const http = createHttp({
    ...parts,
    trainer,
    processor,
    authenticator: operatorKey(options.apiKey),
    version: options.version,
    metricsText: async () => {
      telemetry.metrics.set("strata_models", await store.catalog.system.countModels());
      return telemetry.metricsText();
    },
    documents: new Map([["/", consoleDocument]]),
    corsOrigins: options.corsOrigins ?? [],
    ...(isLoopback(options.host) && {
      checkHost: hostCheck(options.host, options.hostNames ?? []),
    }),
  });
  const listener = await listen(http, { clock, port: options.port, host: options.host });
  opened.add(() => listener.close());
  return { url: listener.url, store, processor, trainer, close: () => opened.close() };
}

/** What cannot be swept, on a full disk or with a damaged row, keeps nobody from serving. */
async function sweep(store: Store, { clock, telemetry }: ServerOptions): Promise<void> {
  const { log } = telemetry;
  try {
    const { quarantinedCount, restoredCount, removedCount } = await store.keeper.sweep(clock.now());
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

function cannotTrain(reason: string): never {
  throw new StrataError("CONFLICT", `Cannot train: ${reason}`);
}
