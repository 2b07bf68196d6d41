/** Claim `overload`: past its capacity a server keeps its rate, and tells the rest when to come. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Worker } from "node:worker_threads";
import { present } from "../src/foundation/assert.ts";
import { limits } from "../src/foundation/limits.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, round, spreadOf } from "./measure.ts";
import type { AskedOnce, OverloadLoad, OverloadTarget } from "./overload-load.ts";
import { createCopies } from "./model-copies.ts";

const apiKey = "bench";
const modelCount = 256;
/** Enough to keep the queue filled, and few enough not to be refused. */
const clientCount = 96;
const overloadFactor = 3;
/** The tokens of a text, special ones included; there are as many short texts as long ones. */
const [tokensMin, tokensMax] = [32, 224];
/** The time until the queue is as long as it may be. */
const rampMs = 3_000;

interface Times {
  readonly roundCount: number;
  readonly capacityMs: number;
  readonly overloadMs: number;
  readonly burstMs: number;
}

const quickTimes: Times = { roundCount: 3, capacityMs: 3_000, overloadMs: 6_500, burstMs: 2_000 };
const fullTimes: Times = { roundCount: 10, capacityMs: 6_000, overloadMs: 12_000, burstMs: 4_000 };

export async function benchOverload({ isQuick, cacheFolder }: BenchOptions): Promise<BenchResult> {
  const home = await mkdtemp(join(tmpdir(), "strata-bench-"));
  const server = spawn(
    process.execPath,
    [program, "serve", "--port", "0", "--json", "--precision", "int8"],
    {
      env: {
        PATH: process.env["PATH"],
        STRATA_HOME: home,
        STRATA_CACHE: cacheFolder,
        STRATA_API_KEY: apiKey,
      },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  try {
    return await measureOn(server, isQuick ? quickTimes : fullTimes);
  } finally {
    if (server.exitCode === null && server.kill("SIGTERM")) await once(server, "exit");
    await rm(home, { recursive: true, force: true });
  }
}

const program = join(import.meta.dirname, "../src/main/main.js");

async function measureOn(server: ChildProcess, times: Times): Promise<BenchResult> {
  const told = createInterface(present(server.stdout, "piped"));
  const [line] = (await once(told, "line")) as [string]; // A line event carries its text.
  const { url } = JSON.parse(line) as { readonly url: string }; // What serve prints.
  const models = await createModels(url);
  const texts = Array.from({ length: 256 }, (_, seed) => textOf(new SeededRandom(seed)));
  const target: OverloadTarget = { port: Number(new URL(url).port), apiKey, models, texts };
  const worker = new Worker(new URL("./overload-load.js", import.meta.url), {
    workerData: target,
  });
  const ask = async (load: OverloadLoad): Promise<readonly AskedOnce[]> => {
    worker.postMessage(load);
    const [asked] = (await once(worker, "message")) as [readonly AskedOnce[]]; // by the thread
    return asked;
  };
  try {
    return await measureRounds(ask, times);
  } finally {
    worker.postMessage(undefined);
  }
}

async function measureRounds(
  ask: (load: OverloadLoad) => Promise<readonly AskedOnce[]>,
  { roundCount, capacityMs, overloadMs, burstMs }: Times,
): Promise<BenchResult> {
  const closed: OverloadLoad = { kind: "closed", clientCount, durationMs: capacityMs };
  const openAt = (perSecond: number, seed: number) =>
    ({ kind: "open", perSecond, durationMs: overloadMs, seed, isPatient: false }) as const;
  const capacities: number[] = [];
  const goodputs: number[] = [];
  const asked: AskedOnce[] = [];
  // The first one warms up, and opens the connections.
  let capacity = rateOf(await ask(closed), { fromMs: 500, untilMs: capacityMs });
  for (let index = -1; index < roundCount; index++) {
    const load = openAt(overloadFactor * capacity, index + 1);
    if (index < 0) await ask({ ...load, durationMs: 1_000 });
    capacity = rateOf(await ask(closed), { fromMs: 500, untilMs: capacityMs });
    if (index < 0) continue;
    const overloaded = await ask(openAt(overloadFactor * capacity, index));
    capacities.push(capacity);
    goodputs.push(rateOf(overloaded, { fromMs: rampMs, untilMs: overloadMs }));
    asked.push(...overloaded);
  }
  const burst = openAt(overloadFactor * capacity, roundCount);
  const patient = await ask({ ...burst, durationMs: burstMs, isPatient: true });
  return resultOf({ capacities, goodputs, asked, patient });
}

function resultOf({
  capacities,
  goodputs,
  asked,
  patient,
}: Readonly<Record<"capacities" | "goodputs", readonly number[]>> &
  Readonly<Record<"asked" | "patient", readonly AskedOnce[]>>): BenchResult {
  const accepted = asked.filter(({ status }) => status === 200);
  const waits = accepted.map(({ queueMs }) => queueMs);
  const latencies = accepted.map(({ latencyMs }) => latencyMs);
  const refused = asked.filter(({ status }) => status === 429);
  const returns = patient.filter(({ isReturn }) => isReturn);
  return {
    acceptedWaitP99OverLimit: round(quantile(waits, 0.99) / limits.queueWaitMsMax),
    goodputOverCapacity: spreadOf(goodputs.map((rate, n) => rate / (capacities[n] ?? NaN))).median,
    statuses: countsOf([...asked, ...patient].map(({ status }) => status)),
    returnsAccepted: round(
      returns.filter(({ status }) => status === 200).length / Math.max(1, returns.length),
    ),
    targets: { acceptedWaitP99OverLimit: 1, goodputOverCapacity: 0.9, statuses: [200, 429] },
    waitMs: quantilesOf(waits),
    latencyMs: { accepted: quantilesOf(latencies), refused: quantilesOf(latenciesOf(refused)) },
    retryAfterMs: quantilesOf(refused.map(({ retryAfterMs }) => retryAfterMs)),
    returnCount: returns.length,
    requestsPerSecond: { capacity: spreadOf(capacities), goodput: spreadOf(goodputs) },
    sizes: { modelCount, clientCount, overloadFactor, tokensMin, tokensMax, precision: "int8" },
    limits: { queueWaitMsMax: limits.queueWaitMsMax },
    note: "the load runs on the same cores, in a thread of its own",
    machine: machine(),
  };
}

function createModels(url: string): Promise<readonly string[]> {
  const textAt = (index: number): string => textOf(new SeededRandom(index, 1));
  return createCopies({ url, apiKey, count: modelCount, textOf: textAt });
}

/** A text of any length; each word is one token, and two are special. */
function textOf(random: SeededRandom): string {
  const wordCount = tokensMin + random.integer(tokensMax - tokensMin + 1) - 2;
  const word = (): string => words[random.integer(words.length)] ?? "";
  return Array.from({ length: wordCount }, word).join(" ");
}

const words = (
  "time year people way day man thing woman life child world school state family student group " +
  "country problem hand part place case week company system program question work night point"
).split(" ");

/** Requests per second that were answered with 200 within this time. */
function rateOf(
  asked: readonly AskedOnce[],
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): number {
  const isCounted = ({ status, answeredMs }: AskedOnce): boolean =>
    status === 200 && answeredMs >= fromMs && answeredMs < untilMs;
  return (1000 * asked.filter(isCounted).length) / (untilMs - fromMs);
}

function latenciesOf(asked: readonly AskedOnce[]): readonly number[] {
  return asked.map(({ latencyMs }) => latencyMs);
}

function countsOf(values: readonly number[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * values.length)] ?? NaN;
}

function quantilesOf(values: readonly number[]): Readonly<Record<"p50" | "p99" | "max", number>> {
  const at = (share: number): number => round(quantile(values, share));
  return { p50: at(0.5), p99: at(0.99), max: round(Math.max(...values)) };
}
