/**
 * A whole server in its surroundings: a folder, the bases of a cache, a socket. What answers within
 * them is put together by `composeServer`.
 */
import { join } from "node:path";
import { createBases } from "../bases/store-bases.ts";
import { CloseStack } from "../foundation/close-stack.ts";
import { limits } from "../foundation/limits.ts";
import { isLoopback } from "../foundation/loopback.ts";
import type { Ids } from "../foundation/random.ts";
import { operatorKey } from "../http/authentication.ts";
import { hostCheck } from "../http/hosts.ts";
import { listen } from "../listener/listener.ts";
import type { Processor } from "../processor/processor.ts";
import { openFileStore } from "../storage/files/file-store.ts";
import type { Store } from "../storage/storage.ts";
import type { Trainer } from "../trainer/trainer.ts";
import { consoleDocument } from "../web/console.ts";
import { composeServer, type Door } from "./compose-server.ts";
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
  const { clock, ids, telemetry, signal, port, host } = options;
  const store = await openFileStore(join(options.home, "store"), { log: telemetry.log });
  opened.add(() => store.close());
  await sweep(store, options);
  throwIfStopped(signal);
  const bases = createBases({ store, log: telemetry.log });
  const engines = await openEngines({ store, bases }, options);
  opened.add(() => engines.close());
  throwIfStopped(signal);
  const whyRefused = (id: string): string => bases.whyRefused(id);
  const parts = { store, engines, whyRefused, clock, ids, telemetry };
  const server = await composeServer({ ...parts, door: doorOf(options) });
  // Until somebody listens, jobs alone are to be stopped.
  opened.add(() => server.trainer.close());
  const listener = await listen(server.http, { clock, port, host });
  opened.add(() => server.stop(() => listener.close()));
  const { processor, trainer } = server;
  return { url: listener.url, store, processor, trainer, close: () => opened.close() };
}

function doorOf({ apiKey, version, host, corsOrigins, hostNames }: ServerOptions): Door {
  return {
    authenticator: operatorKey(apiKey),
    version,
    documents: new Map([["/", consoleDocument]]),
    corsOrigins: corsOrigins ?? [],
    ...(isLoopback(host) && { checkHost: hostCheck(host, hostNames ?? []) }),
  };
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
