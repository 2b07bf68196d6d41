/** The commands that run in this process, for the command line. */
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBench } from "../../bench/bench.ts";
import { listPulledBases, type PulledBase, removePulledBase } from "../checkpoints/base-cache.ts";
import { knownBases } from "../checkpoints/known-bases.ts";
import { openFetch } from "../checkpoints/open-fetch.ts";
import { pullBase } from "../checkpoints/pull.ts";
import type {
  BaseRow,
  LocalCommands,
  PullOptions,
  PullProgress,
  ServeOptions,
} from "../cli/local-commands.ts";
import type { Surroundings } from "../cli/surroundings.ts";
import { StrataError } from "../foundation/errors.ts";
import { ortVersion } from "../runtime/ort/ort-version.ts";
import { openFileStore } from "../storage/files/file-store.ts";
import { openSqlite } from "../storage/files/sqlite.ts";
import { runDemo } from "./demo/demo.ts";
import { runDoctor } from "./doctor.ts";
import { openServer, type Server } from "./server.ts";
import { createTelemetry, type LogLevel } from "./telemetry.ts";

const defaultBase = "all-MiniLM-L6-v2";

export function localCommands(surroundings: Surroundings): LocalCommands {
  const { clock, signal, environment } = surroundings;
  const cacheFolder = cacheFolderOf(surroundings);
  return {
    async serve(options, onReady) {
      const server = await start(options, surroundings);
      onReady({ url: server.url });
      await aborted(signal);
      await server.close();
    },
    async pullBase(options, onProgress) {
      return rowOf(await pull(options, surroundings, onProgress), true);
    },
    async listBases() {
      const pulled = await listPulledBases(cacheFolder);
      const rows = await Promise.all(pulled.map((base) => rowOf(base, true)));
      const missing = knownBases.filter(({ name }) => !pulled.some(({ id }) => id === name));
      return [...rows, ...missing.map(({ name, sources }) => absentRow(name, sources))];
    },
    async removeBase(name, { home }) {
      await checkUnused(name, home);
      await removePulledBase(cacheFolder, name);
    },
    async demo({ isOnce }, output) {
      const home = await mkdtemp(join(tmpdir(), "strata-demo-"));
      const apiKey = surroundings.ids.next("demo-");
      try {
        await runDemo({
          output,
          clock,
          signal,
          isOnce,
          pullBase: async (onProgress) =>
            (await pull({ name: defaultBase, source: undefined }, surroundings, onProgress)).id,
          startServer: async () => {
            const options = { home, host: "127.0.0.1", port: 0, apiKey, signal } as const;
            const server = await start(
              { ...options, precision: "int8", workerCount: undefined },
              surroundings,
            );
            return { url: server.url, apiKey, close: () => server.close() };
          },
        });
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    },
    bench: (claim, { isQuick }) => runBench(claim, { isQuick, cacheFolder }),
    doctor: ({ home }) =>
      runDoctor({
        home,
        serverUrl: environment["STRATA_URL"] ?? "http://127.0.0.1:7860",
        probeRuntime: ortVersion,
        probeCatalog: async () => probeCatalog(),
        listBases: async () => (await listPulledBases(cacheFolder)).map(({ id }) => id),
      }),
  };
}

/** The user's cache: base models are shared by all homes. */
function cacheFolderOf({ environment, userFolder }: Surroundings): string {
  const caches = environment["XDG_CACHE_HOME"] ?? join(userFolder, ".cache");
  return environment["STRATA_CACHE"] ?? join(caches, "strata");
}

function start(options: ServeOptions, surroundings: Surroundings): Promise<Server> {
  const { environment, clock, ids, version } = surroundings;
  const level = (environment["STRATA_LOG"] ?? "warn") as LogLevel; // checked by pino
  const telemetry = createTelemetry(level);
  const cacheFolder = cacheFolderOf(surroundings);
  return openServer({ ...options, cacheFolder, clock, ids, version, telemetry });
}

async function pull(
  { name, source }: Pick<PullOptions, "name" | "source">,
  surroundings: Surroundings,
  onProgress: (progress: PullProgress) => void,
): Promise<PulledBase> {
  const { environment, clock, signal } = surroundings;
  return pullBase(source ?? name, {
    cacheFolder: cacheFolderOf(surroundings),
    environment,
    clock,
    signal,
    fetch: await openFetch(environment),
    telemetry: createTelemetry("error"),
    ...(source === undefined ? {} : { as: name }),
    onProgress: ({ file, receivedBytes, totalBytes }) =>
      onProgress({ step: `downloading ${file}`, doneBytes: receivedBytes, totalBytes }),
  });
}

async function rowOf(base: PulledBase, isPresent: boolean): Promise<BaseRow> {
  const { id, source, digest, folder } = base;
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  return { id, source, digest, bytes, isPresent };
}

function absentRow(id: string, sources: readonly string[]): BaseRow {
  return { id, source: sources.join(", "), digest: "", bytes: 0, isPresent: false };
}

/** CONFLICT while a vPLM of this home stands on the base, or a server has the home open. */
async function checkUnused(name: string, home: string): Promise<void> {
  const store = await openFileStore(join(home, "store"));
  try {
    for (let after: string | undefined; ;) {
      const page = await store.catalog.models.list({
        limit: 1000,
        ...(after === undefined ? {} : { after }),
      });
      const user = page.find(({ base }) => base === name);
      if (user !== undefined)
        throw new StrataError(
          "CONFLICT",
          `Cannot remove base model "${name}": model "${user.id}" stands on it`,
        );
      after = page.at(-1)?.id;
      if (after === undefined) return;
    }
  } finally {
    await store.close();
  }
}

function probeCatalog(): string {
  const database = openSqlite(":memory:");
  try {
    const row: unknown = database.prepare("select sqlite_version() as version").get();
    return `SQLite ${String((row as { version: unknown }).version)}`; // the query's own column
  } finally {
    database.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
