/** Claim `http`: what HTTP, JSON and authentication leave of the engine's throughput. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { operator } from "../src/entities/caller.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { SeededRandom, systemIds } from "../src/foundation/random.ts";
import { openServer, type Server } from "../src/server/server.ts";
import { createTelemetry } from "../src/server/telemetry.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import type { HttpLoad, HttpLoadResult } from "./http-load.ts";
import { machine, round, spreadOf } from "./measure.ts";
import { createCopies } from "./model-copies.ts";
import { labelsQuestion } from "../src/processor/questions.ts";

const clientCount = 32;
const modelCount = 32;
const tokenCount = 32;
const apiKey = "bench";

export async function benchHttp({ isQuick, cacheFolder }: BenchOptions): Promise<BenchResult> {
  const home = await mkdtemp(join(tmpdir(), "strata-bench-"));
  const server = await openServer({
    home,
    cacheFolder,
    apiKey,
    host: "127.0.0.1",
    port: 0,
    precision: "int8",
    clock: systemClock,
    ids: systemIds,
    telemetry: createTelemetry("error"),
    version: "bench",
  });
  try {
    return await compare(server, isQuick);
  } finally {
    await server.close();
    await rm(home, { recursive: true, force: true });
  }
}

async function compare(server: Server, isQuick: boolean): Promise<BenchResult> {
  const models = await createModels(server);
  const texts = Array.from({ length: 256 }, (_, seed) => textOf(new SeededRandom(seed)));
  const roundMs = isQuick ? 2_000 : 4_000;
  const roundCount = isQuick ? 8 : 16;
  const rates: Readonly<Record<"engine" | "http", number[]>> = { engine: [], http: [] };
  const latencies: number[] = [];
  for (let index = -1; index < roundCount; index++) {
    const engine = await callEngine(server, { models, texts, durationMs: roundMs });
    const http = await callHttp({ url: server.url, apiKey, models, texts, clientCount, roundMs });
    // The first round warms both up.
    if (index < 0) continue;
    rates.engine.push(engine);
    rates.http.push((1000 * http.latenciesMs.length) / http.elapsedMs);
    latencies.push(...http.latenciesMs);
  }
  const one = await server.processor.ask(operator, labelsQuestion, {
    model: models[0] ?? "",
    inputs: texts.slice(0, 1),
  });
  const sorted = latencies.toSorted((a, b) => a - b);
  const quantile = (share: number): number => round(sorted[Math.floor(share * sorted.length)] ?? 0);
  return {
    httpVsEngine: spreadOf(rates.http.map((rate, n) => rate / (rates.engine[n] ?? NaN))).median,
    p99Ms: quantile(0.99),
    p50Ms: quantile(0.5),
    targets: { httpVsEngine: 0.8 },
    sequencesPerSecond: { engine: spreadOf(rates.engine), http: spreadOf(rates.http) },
    sizes: { clientCount, modelCount, tokensPerText: one.tokenCount, precision: "int8", roundMs },
    note: "the clients run on the same cores, in a thread of their own",
    machine: machine(),
  };
}

function createModels({ url }: Server): Promise<readonly string[]> {
  const textAt = (index: number): string => textOf(new SeededRandom(index, 1));
  return createCopies({ url, apiKey, count: modelCount, textOf: textAt });
}

/** Requests per second of as many callers without HTTP. */
async function callEngine(
  { processor }: Server,
  options: {
    readonly models: readonly string[];
    readonly texts: readonly string[];
    readonly durationMs: number;
  },
): Promise<number> {
  const { models, texts, durationMs } = options;
  const started = performance.now();
  let count = 0;
  const caller = async (first: number): Promise<void> => {
    for (let n = first; performance.now() - started < durationMs; n += clientCount) {
      await processor.ask(operator, labelsQuestion, {
        model: models[n % models.length] ?? "",
        inputs: [texts[n % texts.length] ?? ""],
      });
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: clientCount }, (_, index) => caller(index)));
  return (1000 * count) / (performance.now() - started);
}

function callHttp(load: HttpLoad): Promise<HttpLoadResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./http-load.js", import.meta.url), { workerData: load });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

/** Words of one token each; with the two special tokens they make `tokenCount`. */
function textOf(random: SeededRandom): string {
  const word = (): string => words[random.integer(words.length)] ?? "";
  return Array.from({ length: tokenCount - 2 }, word).join(" ");
}

const words = (
  "time year people way day man thing woman life child world school state family student group " +
  "country problem hand part place case week company system program question work night point " +
  "home water room mother area money story fact month lot right study book eye job word business"
).split(" ");
