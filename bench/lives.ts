/**
 * Claim `lives`: thousands of operations of the whole server, interleaved, crashed and damaged by
 * seed, violate nothing; and faults that are put back are found, each by a seed that repeats. Seeds
 * know nothing of each other, so that each core runs its own.
 */
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { plants } from "../test/lives/planted.ts";
import type { RunReport } from "../test/lives/simulation.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import type { AskedRun } from "./lives-worker.ts";
import { machine, round } from "./measure.ts";

/** What one seed's clients begin. */
const operationCount = 400;
/** Seeds of the claim; those of the planted faults are its own. */
const firstSeed = 1_000;
/** A planted fault that so many seeds do not show is not found. */
const plantSeedCount = 60;

/** What the runs are to come to, in a minute; those that are quick live a tenth as much. */
const wanted = {
  operations: 20_000,
  published: 300,
  crashes: 300,
  disturbedJobs: 300,
  faults: 1_000,
} as const;
const secondsMax = 60;
const quickShare = 0.1;

type Summed = keyof typeof wanted;
const summed = Object.keys(wanted) as readonly Summed[]; // just those

export async function benchLives({ isQuick }: BenchOptions): Promise<BenchResult> {
  const threads = Array.from(
    { length: availableParallelism() },
    () => new Worker(new URL("./lives-worker.js", import.meta.url)),
  );
  try {
    const sound = await runSound(threads, isQuick ? quickShare : 1);
    const found = await inParallel(threads, plants, findPlanted);
    return {
      ...sound,
      planted: plants.length,
      plantedFound: found.filter(({ isRepeated }) => isRepeated).length,
      targets: {
        ...wanted,
        seconds: secondsMax,
        violations: 0,
        plantedFound: plants.length,
      },
      plants: found,
      sizes: { operationCount, firstSeed, plantSeedCount, threadCount: threads.length },
      machine: machine(),
    };
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

/** Lives until all that is wanted, or this share of it, has happened. */
async function runSound(threads: readonly Worker[], share: number): Promise<BenchResult> {
  const sums = { operations: 0, published: 0, crashes: 0, disturbedJobs: 0, faults: 0 };
  const isEnough = (): boolean => summed.every((name) => sums[name] >= share * wanted[name]);
  const violated: string[] = [];
  const startMs = performance.now();
  let seed = firstSeed;
  const work = async (thread: Worker): Promise<void> => {
    while (!isEnough()) {
      const report = await ask(thread, { seed: seed++, operationCount, plant: undefined });
      for (const name of summed) sums[name] += report[name];
      if (report.violation !== undefined) violated.push(`seed ${report.seed}: ${report.violation}`);
    }
  };
  await Promise.all(threads.map(work));
  const seconds = (performance.now() - startMs) / 1000;
  return {
    ...sums,
    seconds: round(seconds),
    operationsPerMinute: Math.round((60 * sums.operations) / seconds),
    violations: violated.length,
    ...(violated.length > 0 && { violated }),
  };
}

async function ask(thread: Worker, run: AskedRun): Promise<RunReport> {
  thread.postMessage(run);
  const [report] = (await once(thread, "message")) as [RunReport]; // by the thread
  return report;
}

/** The work on each of the items, by whichever thread is free; results in the order of items. */
async function inParallel<Item, Result>(
  threads: readonly Worker[],
  items: readonly Item[],
  work: (thread: Worker, item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  const left = [...items.entries()];
  const run = async (thread: Worker): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift())
      results[next[0]] = await work(thread, next[1]);
  };
  await Promise.all(threads.map(run));
  return results;
}

interface Found {
  readonly name: string;
  /** The first seed that shows the fault. */
  readonly seed: number | undefined;
  readonly violation: string | undefined;
  /** Whether the seed gives the same trace, to the last byte, once more. */
  readonly isRepeated: boolean;
}

async function findPlanted(thread: Worker, { name }: { readonly name: string }): Promise<Found> {
  for (let seed = 1; seed <= plantSeedCount; seed++) {
    const run = { seed, operationCount, plant: name };
    const { violation, digest } = await ask(thread, run);
    if (violation === undefined) continue;
    const again = await ask(thread, run);
    return { name, seed, violation, isRepeated: again.digest === digest };
  }
  return { name, seed: undefined, violation: undefined, isRepeated: false };
}
