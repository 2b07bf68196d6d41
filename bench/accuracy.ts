/**
 * Claim `accuracy`: adapters over a frozen int8 base are about as good as training everything. Both
 * methods run through the same trainer with the same tuning budget, and both are tested through
 * the serving graph in int8. The long run adds to its result file run by run and goes on where it
 * was stopped; `--quick` repeats one run and prints the file's summary.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { openBaseCheckpoint, openPulledBase } from "../src/sources/base-cache.ts";
import { loadBaseWeights } from "../src/checkpoints/base-weights.ts";
import { present } from "../src/foundation/assert.ts";
import { upperBottleneck } from "../src/models/adapters/adapters.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import { fit, type Fitted } from "../src/learning/learning.ts";
import { fitInstantHead } from "../src/learning/instant.ts";
import { shallowStates } from "../src/learning/sequences.ts";
import { TrainingBase } from "../src/learning/training-base.ts";
import { servedScore } from "./accuracy-serving.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { commitOf, machine, round } from "./measure.ts";
import { loadTask, type Task, taskFolder } from "./tasks.ts";
import { meanInterval } from "./mean-interval.ts";
import { textClassification } from "../src/tasks/text-classification.ts";

type Method = "adapter" | "full";

interface Setup {
  readonly task: string;
  readonly method: Method;
  readonly seed: number;
  readonly learningRate: number;
}

interface Run extends Setup {
  readonly devAccuracy: number;
  /** What the serving graph reaches in int8, in percent. */
  readonly testAccuracy: number;
  readonly instantTestAccuracy: number;
  readonly bestEpoch: number;
  readonly seconds: number;
  readonly commit: string;
}

interface ResultFile {
  readonly machine: unknown;
  readonly settings: unknown;
  readonly runs: readonly Run[];
}

/** Epochs at most; training stops after `patience` epochs without progress on dev. */
const tasks: Readonly<Record<string, Readonly<Record<Method, number>>>> = {
  "sci-cite": { adapter: 8, full: 4 },
  trec: { adapter: 8, full: 4 },
  banking77: { adapter: 8, full: 3 },
  newsgroup: { adapter: 8, full: 5 },
  "chemprot-full": { adapter: 4, full: 2 },
};
const seeds = [0, 1, 2] as const;
/** The same number for both: each is chosen on dev of the first task with seed 0. */
const learningRates: Readonly<Record<Method, readonly number[]>> = {
  adapter: [1e-3, 2e-3],
  full: [1e-4, 2e-4],
};
const tuningTask = "sci-cite";
const batchSize = { adapter: 16, full: 32 };
const settings = { rank: 64, patience: 4, batchSize, tasks, learningRates };
const floors = { trec: 95, banking77: 91 };

const resultPath = join(import.meta.dirname, "../../bench/results/accuracy.json");

export async function benchAccuracy({ isQuick, cacheFolder }: BenchOptions): Promise<BenchResult> {
  const folder = taskFolder();
  if (folder === undefined) return { skipped: "the tasks are not beside this checkout" };
  if (isQuick) {
    const bench = await openBench(cacheFolder, folder, availableParallelism());
    const file = readResults();
    const repeated = await repeatOne(bench, file);
    await bench.runtime.close();
    return { ...summary(file.runs), repeated, ...file };
  }
  // A runtime of one thread for each method: together they fill two cores better than one of two.
  const benches = {
    adapter: await openBench(cacheFolder, folder),
    full: await openBench(cacheFolder, folder),
  };
  await Promise.all([runAll(benches, "adapter"), runAll(benches, "full")]);
  await benches.adapter.runtime.close();
  await benches.full.runtime.close();
  const file = readResults();
  return { ...summary(file.runs), ...file };
}

class Bench {
  readonly runtime: OrtRuntime;
  readonly base: TrainingBase;
  /** The commit at which the run began: the repository may move on while it lasts. */
  readonly commit: string = commitOf();
  readonly #folder: string;
  readonly #tasks = new Map<string, Task>();

  constructor(runtime: OrtRuntime, base: TrainingBase, folder: string) {
    this.runtime = runtime;
    this.base = base;
    this.#folder = folder;
  }

  async task(name: string): Promise<Task> {
    const known = this.#tasks.get(name);
    if (known !== undefined) return known;
    const { checkpoint } = this.base;
    const task = await loadTask(this.#folder, name, await checkpoint.tokenizer());
    const withStates = {
      ...task,
      train: { ...task.train, states: await shallowStates(this.base, task.train.ids) },
      dev: { ...task.dev, states: await shallowStates(this.base, task.dev.ids) },
    };
    // One at a time: the kept states of all tasks would fill the memory.
    this.#tasks.clear();
    this.#tasks.set(name, withStates);
    return withStates;
  }
}

async function openBench(cacheFolder: string, folder: string, threadCount = 1): Promise<Bench> {
  const pulled = await openPulledBase(cacheFolder, "all-MiniLM-L6-v2");
  const checkpoint = await openBaseCheckpoint(pulled);
  const runtime = new OrtRuntime({ threadCount, spinUs: 500 });
  const weights = await loadBaseWeights(checkpoint, runtime);
  const base = new TrainingBase({ checkpoint, weights, precision: "int8", runtime });
  return new Bench(runtime, base, folder);
}

/** Tuning first, then all seeds of each task; what the file holds already is not run again. */
async function runAll(benches: Readonly<Record<Method, Bench>>, method: Method): Promise<void> {
  const bench = benches[method];
  for (const learningRate of learningRates[method])
    await runOnce(bench, { task: tuningTask, method, seed: 0, learningRate });
  // Seeds outermost: a run that is stopped has seen every task.
  for (const seed of seeds)
    for (const task of Object.keys(tasks)) {
      const learningRate = tunedRate(readResults().runs, method);
      await runOnce(bench, { task, method, seed, learningRate });
    }
}

async function runOnce(bench: Bench, setup: Setup): Promise<void> {
  const file = readResults();
  if (file.runs.some((run) => isSame(run, setup))) return;
  const run = await measureRun(bench, setup);
  process.stderr.write(`${JSON.stringify(run)}\n`);
  // Others may have written meanwhile.
  const { runs } = readResults();
  writeResults({ machine: machine(), settings, runs: [...runs, run] });
}

async function measureRun(bench: Bench, setup: Setup): Promise<Run> {
  const { base, runtime } = bench;
  const { method, seed, learningRate } = setup;
  const task = await bench.task(setup.task);
  const { pooling } = base.checkpoint;
  const labelCount = task.labels.length;
  const { train, dev, test } = task;
  const kind = textClassification;
  const started = performance.now();
  const instant = await fitInstantHead(base, { kind, train, dev, labelCount, pooling });
  const fitted = await fit(
    base,
    { kind, train, dev, labelCount, pooling },
    {
      adapter:
        method === "full" ? undefined : upperBottleneck(base.checkpoint.config, settings.rank),
      seed,
      learningRate,
      epochCount: tasks[setup.task]?.[method] ?? 1,
      batchSize: settings.batchSize[method],
      patience: settings.patience,
    },
  );
  const options = { base, runtime, kind, labelCount, test };
  const head = headOnly(instant.head, labelCount);
  return {
    ...setup,
    devAccuracy: round(100 * present(fitted.devScore, "every task has a dev")),
    testAccuracy: round(100 * (await servedScore(fitted, options))),
    instantTestAccuracy: round(100 * (await servedScore(head, options))),
    bestEpoch: fitted.epochCount,
    seconds: Math.round((performance.now() - started) / 1000),
    commit: bench.commit,
  };
}

function headOnly(
  head: { readonly weight: Float32Array; readonly bias: Float32Array },
  labelCount: number,
): Pick<Fitted, "tensors" | "adapter"> {
  const value = (values: Float32Array, shape: readonly number[]) =>
    ({ kind: "value", type: "float32", shape, values }) as const;
  const tensors = new Map([
    ["head.weight", value(head.weight, [labelCount, head.weight.length / labelCount])],
    ["head.bias", value(head.bias, [labelCount])],
  ]);
  return { tensors, adapter: undefined };
}

/** The rate with the best dev accuracy on the tuning task. */
function tunedRate(runs: readonly Run[], method: Method): number {
  const tried = runs.filter(
    (run) => run.task === tuningTask && run.method === method && run.seed === 0,
  );
  const best = tried.toSorted((a, b) => b.devAccuracy - a.devAccuracy)[0];
  return best?.learningRate ?? 0;
}

function summary(runs: readonly Run[]): BenchResult {
  const rows: Record<string, unknown> = {};
  const differences: number[] = [];
  for (const task of Object.keys(tasks)) {
    const of = (method: Method): readonly Run[] => {
      const rate = tunedRate(runs, method);
      return runs.filter(
        (run) => run.task === task && run.method === method && run.learningRate === rate,
      );
    };
    const [adapter, full] = [of("adapter"), of("full")];
    for (const run of adapter) {
      const other = full.find(({ seed }) => seed === run.seed);
      if (other !== undefined) differences.push(run.testAccuracy - other.testAccuracy);
    }
    rows[task] = {
      instant: mean(adapter.map(({ instantTestAccuracy }) => instantTestAccuracy)),
      adapter: mean(adapter.map(({ testAccuracy }) => testAccuracy)),
      full: mean(full.map(({ testAccuracy }) => testAccuracy)),
      seeds: { adapter: adapter.length, full: full.length },
    };
  }
  const hasInterval = differences.length >= 2;
  return {
    meanAdapterMinusFull: mean(differences),
    interval95: hasInterval ? meanInterval(differences, 0.95) : null,
    comparedRuns: differences.length,
    wantedRuns: Object.keys(tasks).length * seeds.length,
    tasks: rows,
    targets: { meanAdapterMinusFull: -1, floorsOfFull: floors },
  };
}

/** The quickest adapter run again: the same seed must give the same accuracy. */
async function repeatOne(bench: Bench, { runs }: ResultFile): Promise<unknown> {
  const adapters = runs.filter(({ method }) => method === "adapter");
  const known = adapters.toSorted((a, b) => a.seconds - b.seconds)[0];
  if (known === undefined) return null;
  const { task, method, seed, learningRate, testAccuracy } = known;
  const again = await measureRun(bench, { task, method, seed, learningRate });
  return { before: testAccuracy, again };
}

function readResults(): ResultFile {
  if (!existsSync(resultPath)) return { machine: machine(), settings, runs: [] };
  return JSON.parse(readFileSync(resultPath, "utf8")) as ResultFile; // written below
}

function writeResults(file: ResultFile): void {
  mkdirSync(dirname(resultPath), { recursive: true });
  writeFileSync(`${resultPath}.new`, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(`${resultPath}.new`, resultPath);
}

function isSame(run: Setup, setup: Setup): boolean {
  const key = ({ task, method, seed, learningRate }: Setup): string =>
    [task, method, seed, learningRate].join();
  return key(run) === key(setup);
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : round(values.reduce((a, b) => a + b, 0) / values.length);
}
