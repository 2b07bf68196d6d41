/** Claim `latency`: the longest requests that limits allow leave the main thread to others. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { limits } from "../src/foundation/limits.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { countUnanswered } from "./latency-hostile.ts";
import type { LatencyCommand, LatencyReply, LatencyScene } from "./latency-messages.ts";
import { latencyScenes, type Sizes } from "./latency-scenes.ts";
import { commitOf, machine, round } from "./measure.ts";

const apiKey = "bench";

const quickSizes: Sizes = {
  modelCount: 1_000,
  fileCount: 1_000,
  uploadBytes: 64 * 1024 * 1024,
  lineCount: 8_000_000,
  labelCount: 100_000,
  derivedCount: 2_000,
  hostileCount: 5_000,
};

const fullSizes: Sizes = {
  modelCount: 15_000,
  fileCount: limits.filePageCountMax,
  uploadBytes: limits.uploadBytesMax,
  lineCount: 50_000_000,
  labelCount: 500_000,
  derivedCount: limits.derivedModelCountMax,
  hostileCount: 20_000,
};

const hostileLaneCount = 64;

interface Measured {
  readonly scene: string;
  readonly size: string;
  readonly blockedMs: number;
  readonly healthzMs: number;
  /** The time that the main thread was on a core, without what others on the machine took. */
  readonly heldMs: number;
  readonly rssGrowthBytes: number;
  readonly seconds: number;
}

export async function benchLatency(options: BenchOptions): Promise<BenchResult> {
  const home = await mkdtemp(join(tmpdir(), "strata-bench-"));
  const sizes = options.isQuick ? quickSizes : fullSizes;
  const { modelCount, fileCount } = sizes;
  const { cacheFolder } = options;
  const server = new ServerProcess({ home, cacheFolder, apiKey, modelCount, fileCount });
  try {
    return await measureAll(await server.url(), server, sizes);
  } finally {
    await server.close();
    await rm(home, { recursive: true, force: true });
  }
}

async function measureAll(url: string, server: ServerProcess, sizes: Sizes): Promise<BenchResult> {
  const probe = new Worker(new URL("./latency-probe.js", import.meta.url), { workerData: url });
  const measured: Measured[] = [];
  const run = async (scene: string, size: string, work: () => Promise<unknown>): Promise<void> => {
    measured.push(await measure({ scene, size, work }, { url, server, probe }));
  };
  try {
    // How others on the machine show in the figures.
    await run("idle", "2 s", () => new Promise((resolve) => setTimeout(resolve, 2_000)));
    for (const { scene, size, work } of await latencyScenes({ url, apiKey, sizes }))
      await run(scene, size, work);
    const { hostileCount } = sizes;
    let unanswered = 0;
    await run("hostile", `${hostileCount} forms and bodies`, async () => {
      const port = Number(new URL(url).port);
      unanswered = await countUnanswered({ port, apiKey }, hostileCount, hostileLaneCount);
    });
    const orphanCount = await server.orphanCount();
    return resultOf(measured, { unanswered, orphanCount, hostileCount });
  } finally {
    await probe.terminate();
  }
}

function resultOf(
  measured: readonly Measured[],
  counts: {
    readonly unanswered: number;
    readonly orphanCount: number;
    readonly hostileCount: number;
  },
): BenchResult {
  const most = (value: (row: Measured) => number): number => Math.max(...measured.map(value));
  return {
    blockedMsMax: most(({ blockedMs, healthzMs }) => Math.max(blockedMs, healthzMs)),
    heldMsMax: most(({ heldMs }) => heldMs),
    rssGrowthBytesMax: most(({ rssGrowthBytes }) => rssGrowthBytes),
    unanswered: counts.unanswered,
    targets: { blockedMsMax: 50, rssGrowthBytesMax: 512 * 1024 * 1024, unanswered: 0 },
    orphanBlobs: counts.orphanCount,
    hostileCount: counts.hostileCount,
    scenes: measured,
    note: "blockedMs by the server's own gauge, healthzMs by a second client; both run beside it",
    machine: machine(),
    commit: commitOf(),
  };
}

async function measure(
  { scene, size, work }: { readonly scene: string; size: string; work(): Promise<unknown> },
  { url, server, probe }: { readonly url: string; server: ServerProcess; probe: Worker },
): Promise<Measured> {
  await server.mark();
  await blockedMsOf(url);
  await healthzMsOf(probe);
  const startMs = performance.now();
  await work();
  const seconds = (performance.now() - startMs) / 1000;
  const healthzMs = await healthzMsOf(probe);
  const blockedMs = await blockedMsOf(url);
  const { rssGrowthBytes, heldMs } = await server.read();
  return {
    scene,
    size,
    blockedMs: round(blockedMs),
    healthzMs: round(healthzMs),
    heldMs: round(heldMs),
    rssGrowthBytes,
    seconds: round(seconds),
  };
}

/** The longest delay of the server's main thread since this was last asked. */
async function blockedMsOf(url: string): Promise<number> {
  const headers = { authorization: `Bearer ${apiKey}` };
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  const found = /^strata_event_loop_delay_seconds\{quantile="1"\} (\S+)$/m.exec(text)?.[1];
  return 1000 * Number(found);
}

async function healthzMsOf(probe: Worker): Promise<number> {
  probe.postMessage("read");
  const [worstMs] = (await once(probe, "message")) as [number]; // by latency-probe.ts
  return worstMs;
}

class ServerProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;

  constructor(scene: LatencyScene) {
    const program = fileURLToPath(new URL("./latency-server.js", import.meta.url));
    this.#child = fork(program, [JSON.stringify(scene)], { execArgv: ["--expose-gc"] });
    this.#exit = once(this.#child, "exit");
  }

  async url(): Promise<string> {
    const ended = this.#exit.then(() => {
      throw new Error("The server has ended");
    });
    return (await Promise.race([this.#reply("ready"), ended])).url;
  }

  async mark(): Promise<void> {
    this.#tell("mark");
    await this.#reply("marked");
  }

  read(): Promise<Extract<LatencyReply, { kind: "read" }>> {
    this.#tell("read");
    return this.#reply("read");
  }

  async orphanCount(): Promise<number> {
    this.#tell("countOrphans");
    return (await this.#reply("orphans")).count;
  }

  async close(): Promise<void> {
    if (this.#child.connected) this.#tell("close");
    await this.#exit;
  }

  #tell(kind: LatencyCommand["kind"]): void {
    this.#child.send({ kind });
  }

  async #reply<Kind extends LatencyReply["kind"]>(
    kind: Kind,
  ): Promise<Extract<LatencyReply, { kind: Kind }>> {
    for (;;) {
      const [reply] = (await once(this.#child, "message")) as [LatencyReply]; // its server's
      if (reply.kind === kind) return reply as Extract<LatencyReply, { kind: Kind }>; // as it says
    }
  }
}
