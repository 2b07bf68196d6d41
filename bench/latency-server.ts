/** The server of the bench `latency`, in a process of its own. */
import { readFileSync } from "node:fs";
import { operator } from "../src/entities/caller.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { digestOf } from "../src/foundation/digest.ts";
import { limits } from "../src/foundation/limits.ts";
import { systemIds } from "../src/foundation/random.ts";
import { openServer, type Server } from "../src/server/server.ts";
import { createTelemetry } from "../src/server/telemetry.ts";
import type { Store } from "../src/storage/storage.ts";
import type { LatencyCommand, LatencyReply, LatencyScene } from "./latency-messages.ts";

const sampleMs = 5;
const base = "all-MiniLM-L6-v2";

const scene = JSON.parse(process.argv[2] ?? "{}") as LatencyScene; // by latency.ts
const server = await openServer({
  ...scene,
  host: "127.0.0.1",
  port: 0,
  precision: "int8",
  // The clients need a core of their own.
  workerCount: 1,
  clock: systemClock,
  ids: systemIds,
  telemetry: createTelemetry("error"),
  version: "bench",
});
await fill(server.store);
watch(server);

async function fill({ catalog }: Store): Promise<void> {
  const createdAt = 1_700_000_000_000;
  const labels = Array.from({ length: limits.labelCountMax }, (_, index) =>
    `${index}-`.padEnd(limits.labelCharactersMax, "x"),
  );
  for (let index = 0; index < scene.modelCount; index++)
    await catalog.of(operator).models.insert({
      id: `long-${index}`,
      incarnation: `vplm-long${index}`,
      base,
      task: "text-classification",
      labels,
      servedVersion: undefined,
      versionCount: 0,
      createdAt,
    });
  const fault = `line 1: ${"expected a label, got nothing; ".repeat(8)}`;
  const faultSummary = fault.repeat(limits.reportedLineErrorCountMax);
  const blob = digestOf("");
  for (let index = 0; index < scene.fileCount; index++)
    await catalog.of(operator).files.insert({
      id: `file-${index}`,
      filename: "a.csv",
      purpose: "fine-tune",
      bytes: 0,
      blob,
      task: "text-classification",
      createdAt,
      faultSummary,
    });
}

function watch({ url, store, close }: Server): void {
  let before = 0;
  let most = 0;
  let cpuMs = mainThreadCpuMs();
  let heldMs = 0;
  const sample = (): void => {
    most = Math.max(most, process.memoryUsage.rss());
    const nowMs = mainThreadCpuMs();
    heldMs = Math.max(heldMs, nowMs - cpuMs);
    cpuMs = nowMs;
  };
  setInterval(sample, sampleMs);
  const reply = (message: LatencyReply): unknown => process.send?.(message);
  process.on("message", (command: LatencyCommand) => {
    if (command.kind === "mark") {
      globalThis.gc?.();
      before = most = process.memoryUsage.rss();
      cpuMs = mainThreadCpuMs();
      heldMs = 0;
      reply({ kind: "marked" });
    } else if (command.kind === "read") {
      sample();
      reply({ kind: "read", rssGrowthBytes: most - before, heldMs });
    } else if (command.kind === "countOrphans") {
      void orphanCount(store).then((count) => reply({ kind: "orphans", count }));
    } else void close().then(() => process.exit());
  });
  reply({ kind: "ready", url });
}

/** Time on a core; 0 where the system does not tell it of one thread. */
function mainThreadCpuMs(): number {
  try {
    // The main thread has the number of the process.
    const text = readFileSync(`/proc/self/task/${process.pid}/schedstat`, "latin1");
    return Number(text.slice(0, text.indexOf(" "))) / 1e6;
  } catch {
    return 0;
  }
}

async function orphanCount({ blobs, catalog }: Store): Promise<number> {
  const named = await catalog.system.namedBlobs();
  let count = 0;
  for await (const digest of blobs.list()) if (!named.has(digest)) count += 1;
  return count;
}
