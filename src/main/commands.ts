/**
 * The commands that run in this process, for the command line. Each imports what it runs on when it
 * is called: a command that only talks to a server shall not wait for an engine to load.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PulledBase } from "../sources/base-cache.ts";
import { knownBases } from "../sources/known-bases.ts";
import type { Network } from "../sources/network.ts";
import { serverUrlOf } from "../cli/command-context.ts";
import type {
  BaseRow,
  Finding,
  LocalCommands,
  PullOptions,
  PullProgress,
  PullReport,
  ServeOptions,
  UnfinishedJobs,
} from "../cli/local-commands.ts";
import type { Output } from "../cli/output.ts";
import type { Surroundings } from "../cli/surroundings.ts";
import { StrataError } from "../foundation/errors.ts";
import { ortVersion } from "../runtime/ort/ort-version.ts";
import { openSqlite } from "../storage/files/sqlite.ts";
import { runDoctor } from "../commands/doctor.ts";
import { isFinished } from "../entities/job.ts";
import type { Server } from "../server/server.ts";
import type { Store } from "../storage/storage.ts";
import { cacheFolderOf } from "./cache-folder.ts";

const defaultBase = "all-MiniLM-L6-v2";

/** The list of the hierarchical forms that the package ships. */
const manifestPath = fileURLToPath(new URL("../../../models/models.json", import.meta.url));

export function localCommands(surroundings: Surroundings): LocalCommands {
  const { signal, clock } = surroundings;
  const cacheFolder = cacheFolderOf(surroundings);
  return {
    async serve(options, onReady) {
      const server = await startUnlessStopped(options, surroundings);
      if (server === undefined) return;
      onReady({ url: server.url });
      await aborted(signal);
      try {
        options.onStopping(await unfinishedIn(server.store));
      } finally {
        await server.close();
      }
    },
    pullBase: (options, onProgress) => pullWhole(options, surroundings, onProgress),
    async hierarchiseBase(options, onProgress) {
      const { hierarchise } = await import("../commands/hierarchise.ts");
      const coreCount = availableParallelism();
      return hierarchise({ ...options, cacheFolder, coreCount }, onProgress);
    },
    async listBases() {
      const rows = await presentRows(cacheFolder);
      const missing = knownBases.filter(({ name }) => !rows.some(({ id }) => id === name));
      return [...rows, ...missing.map(({ name, sources }) => absentRow(name, sources))];
    },
    async removeBase(name, { home }) {
      const { removePulledBase } = await import("../sources/base-cache.ts");
      await checkUnused(name, home);
      await removePulledBase(cacheFolder, name);
    },
    async readTexts(chunks, options) {
      const { readInputs } = await import("../files/user-file.ts");
      return readInputs({ ...options, chunks });
    },
    demo: ({ isOnce }, output) => demo(output, isOnce, surroundings),
    async plan(options, onProgress) {
      const { planFiles } = await import("../commands/planning.ts");
      return planFiles(options, clock, onProgress);
    },
    async simulate(options, onProgress) {
      const { simulatePlan } = await import("../commands/planning.ts");
      return simulatePlan(options, onProgress);
    },
    async profile(options, onProgress) {
      const { profileToFile } = await import("../commands/planning.ts");
      return profileToFile(options, { clock, cacheFolder }, onProgress);
    },
    doctor: ({ home }) => doctor(home, surroundings),
  };
}

async function doctor(home: string, surroundings: Surroundings): Promise<readonly Finding[]> {
  const { checkBases } = await import("../bases/base-checks.ts");
  const cacheFolder = cacheFolderOf(surroundings);
  return runDoctor({
    home,
    serverUrl: serverUrlOf(surroundings),
    probeRuntime: ortVersion,
    probeCatalog: async () => probeCatalog(),
    checkBases: () => checkBases({ cacheFolder, home, manifestPath }),
  });
}

async function demo(output: Output, isOnce: boolean, surroundings: Surroundings): Promise<void> {
  const { runDemo } = await import("../demo/demo.ts");
  // What keeps its server from starting is told before a base is downloaded.
  probeCatalog();
  const { clock, ids, signal } = surroundings;
  const home = await mkdtemp(join(tmpdir(), "strata-demo-"));
  const apiKey = ids.next("demo-");
  const place = { home, host: "127.0.0.1", port: 0, apiKey, signal } as const;
  const options = { ...place, precision: "int8", workerCount: undefined } as const;
  const wanted = { name: defaultBase, source: undefined };
  try {
    await runDemo({
      output,
      clock,
      signal,
      isOnce,
      pullBase: async (onProgress) => (await pull(wanted, surroundings, onProgress)).id,
      startServer: async () => {
        const server = await start(options, surroundings);
        return { url: server.url, apiKey, close: () => server.close() };
      },
    });
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Undefined when it was told to stop before it was ready, which is an end as any other. */
async function startUnlessStopped(
  options: ServeOptions,
  surroundings: Surroundings,
): Promise<Server | undefined> {
  try {
    return await start(options, surroundings);
  } catch (error) {
    if (surroundings.signal.aborted && error instanceof StrataError && error.code === "CANCELLED")
      return undefined;
    throw error;
  }
}

async function unfinishedIn({ catalog }: Store): Promise<UnfinishedJobs> {
  let [runningCount, queuedCount] = [0, 0];
  for await (const { status } of catalog.system.jobs())
    if (status === "running") runningCount += 1;
    else if (!isFinished(status)) queuedCount += 1;
  return { runningCount, queuedCount };
}

/** What `serve` and `demo` start with. */
type StartOptions = Omit<ServeOptions, "onOpening" | "onStopping"> &
  Partial<Pick<ServeOptions, "onOpening">>;

async function start(options: StartOptions, surroundings: Surroundings): Promise<Server> {
  const { openServer } = await import("../server/server.ts");
  const { createTelemetry, logLevelOf } = await import("../server/telemetry.ts");
  const { environment, clock, ids, version } = surroundings;
  const telemetry = createTelemetry(logLevelOf(environment["STRATA_LOG"]));
  const cacheFolder = cacheFolderOf(surroundings);
  return openServer({ ...options, cacheFolder, clock, ids, version, telemetry });
}

/** The base, and the hierarchical form where that is asked for. */
async function pullWhole(
  options: PullOptions,
  surroundings: Surroundings,
  onProgress: (progress: PullProgress) => void,
): Promise<PullReport> {
  const { checkNameFree } = await import("../bases/base-checks.ts");
  const checkName = async (id: string): Promise<void> => checkNameFree(options.home, id);
  const wanted = { ...options, checkName };
  if (!options.isHierarchical)
    return reportOf(await pull(wanted, surroundings, onProgress), options.source);
  const shipped = await import("../sources/shipped-hierarchy.ts");
  await shipped.requireHierarchy(options.name, manifestPath);
  const base = await pull(wanted, surroundings, onProgress);
  const network = await networkOf(surroundings);
  const hierarchy = await shipped.installHierarchy(base, manifestPath, network);
  return { ...(await reportOf(base, options.source)), hierarchy };
}

interface WantedBase extends Pick<PullOptions, "name" | "source"> {
  /** Rejects when the name is taken. */
  readonly checkName?: (id: string) => Promise<void>;
}

async function pull(
  { name, source, checkName }: WantedBase,
  surroundings: Surroundings,
  onProgress: (progress: PullProgress) => void,
): Promise<PulledBase> {
  const { pullBase } = await import("../sources/pull.ts");
  return pullBase(source ?? name, {
    ...(await networkOf(surroundings)),
    cacheFolder: cacheFolderOf(surroundings),
    ...(source === undefined ? {} : { as: name }),
    ...(checkName === undefined ? {} : { checkName }),
    onProgress: ({ file, receivedBytes, totalBytes }) =>
      onProgress({ step: `downloading ${file}`, doneBytes: receivedBytes, totalBytes }),
  });
}

async function networkOf({ environment, clock, signal }: Surroundings): Promise<Network> {
  const { openFetch } = await import("../sources/open-fetch.ts");
  const { createTelemetry } = await import("../server/telemetry.ts");
  const telemetry = createTelemetry("error");
  return { environment, clock, signal, fetch: await openFetch(environment), telemetry };
}

/** What is present under a known name stays, whatever source is named. */
async function reportOf(base: PulledBase, source: string | undefined): Promise<PullReport> {
  const { parseSource } = await import("../sources/sources.ts");
  const row = await rowOf(base);
  const isUsed = source === undefined || parseSource(source)?.label === base.source;
  return isUsed ? row : { ...row, unusedSource: source };
}

async function rowOf(base: PulledBase): Promise<BaseRow> {
  const { hierarchyPathOf } = await import("../sources/shipped-hierarchy.ts");
  const { id, source, digest, folder } = base;
  const hierarchyPath = hierarchyPathOf(base);
  let [bytes, isHierarchical] = [0, false];
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) bytes += (await stat(path)).size;
    isHierarchical ||= path === hierarchyPath;
  }
  return { id, source, digest, bytes, isPresent: true, isHierarchical };
}

/** A row for each base of the cache, whose every byte is compared with its digest. */
async function presentRows(cacheFolder: string): Promise<readonly BaseRow[]> {
  const { checkPulledBase, listCachedBases } = await import("../sources/base-cache.ts");
  const rows: BaseRow[] = [];
  for (const found of await listCachedBases(cacheFolder)) {
    if (found.kind === "damaged") {
      const row = absentRow(found.id, []);
      rows.push({ ...row, isPresent: true, fault: found.fault.message });
      continue;
    }
    const row = await rowOf(found.base);
    const fault = await faultOf(checkPulledBase(found.base));
    rows.push(fault === undefined ? row : { ...row, fault });
  }
  return rows;
}

async function faultOf(check: Promise<void>): Promise<string | undefined> {
  try {
    await check;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function absentRow(id: string, sources: readonly string[]): BaseRow {
  const source = sources.join(", ");
  return { id, source, digest: "", bytes: 0, isPresent: false, isHierarchical: false };
}

/** CONFLICT while a vPLM of this home stands on the base, or a server has the home open. */
async function checkUnused(name: string, home: string): Promise<void> {
  const folder = join(home, "store");
  // A home without a store is not made by looking for one.
  if (!existsSync(folder)) return;
  const { openFileStore } = await import("../storage/files/file-store.ts");
  const store = await openFileStore(folder);
  try {
    const user = await store.catalog.system.modelOn(name);
    if (user === undefined) return;
    const state = `model "${user}" stands on it`;
    throw new StrataError("CONFLICT", `Cannot remove base model "${name}": ${state}`);
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
