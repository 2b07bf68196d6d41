/**
 * Claim `accuracyHierarchical`: adapters over looked-up states are about as good as adapters over
 * computed ones. Both are trained with the same settings and tested through the serving graph in
 * int8; the looked-up states come from the table and the back-off that claim `hierarchy` times.
 * The long run adds to its result file run by run and goes on where it was stopped.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openPulledBase } from "../src/checkpoints/base-cache.ts";
import { loadBaseWeights } from "../src/checkpoints/base-weights.ts";
import type { Checkpoint } from "../src/checkpoints/checkpoints.ts";
import { openCheckpoint } from "../src/checkpoints/folder.ts";
import { openHierarchy } from "../src/checkpoints/hierarchy.ts";
import { replaceFile } from "../src/foundation/replace-file.ts";
import { meanInterval } from "../src/datasets/metrics.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import { fit } from "../src/trainer/fit.ts";
import { lookedUpStates } from "../src/trainer/looked-up-states.ts";
import { shallowStates } from "../src/trainer/sequences.ts";
import { fitTokens } from "../src/trainer/token-fit.ts";
import { TrainingBase } from "../src/trainer/training-base.ts";
import { servedAccuracy, servedEntityF1 } from "./accuracy-serving.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { generalKnowledge } from "./general-knowledge.ts";
import { machine, round } from "./measure.ts";
import { corporaFolder, loadTask, loadTokenTask, taskFolder } from "./tasks.ts";

type Arm = "dense" | "general";

interface Plan {
  readonly task: string;
  readonly arm: Arm;
  readonly seed: number;
}

interface Run extends Plan {
  readonly devScore: number;
  /** Accuracy, or F1 over entities, in percent. */
  readonly testScore: number;
  readonly seconds: number;
}

interface ResultFile {
  readonly machine: unknown;
  readonly settings: unknown;
  readonly runs: readonly Run[];
}

const seeds = [0, 1, 2] as const;
const arms: readonly Arm[] = ["dense", "general"];
const tasks = {
  classification: ["sci-cite", "citation-intent", "trec", "newsgroup", "rct-20k", "chemprot"],
  ner: ["ncbi-disease", "bc5cdr", "scierc"],
} as const;
const settings = {
  classification: { learningRate: 1e-3, batchSize: 16, epochCount: 8, rank: 64, patience: 4 },
  ner: { learningRate: 4e-3, batchSize: 8, epochCount: 8, rank: 32, patience: 4 },
} as const;

const resultPath = join(import.meta.dirname, "../../bench/results/accuracy-hierarchical.json");
const weightsPath = join(import.meta.dirname, "../../models/all-MiniLM-L6-v2.safetensors");

export async function benchAccuracyHierarchical(options: BenchOptions): Promise<BenchResult> {
  const [classification, ner, corpora] = [taskFolder(), taskFolder("ner"), corporaFolder()];
  if (classification === undefined || ner === undefined || corpora === undefined)
    return { skipped: "the tasks are not beside this checkout" };
  if (!existsSync(weightsPath)) return { skipped: `there are no weights at ${weightsPath}` };
  const bench = await openBench(options, { classification, ner, corpora });
  const file = readResults();
  if (options.isQuick) {
    const again = await bench.run({ task: "sci-cite", arm: "general", seed: 0 });
    await bench.close();
    return { ...summary(file.runs), repeated: again, ...file };
  }
  for (const seed of seeds)
    for (const task of [...tasks.classification, ...tasks.ner])
      for (const arm of arms) await runOnce(bench, { task, arm, seed });
  await bench.close();
  return { ...summary(readResults().runs), ...readResults() };
}

interface Bench {
  run(plan: Plan): Promise<Run>;
  close(): Promise<void>;
}

type StatesOf = (ids: readonly Int32Array[]) => Promise<readonly Float32Array[]>;

async function openBench(
  { isQuick, cacheFolder }: BenchOptions,
  folders: Readonly<Record<"classification" | "ner" | "corpora", string>>,
): Promise<Bench> {
  const { folder } = await openPulledBase(cacheFolder, "all-MiniLM-L6-v2");
  const checkpoint = await openCheckpoint(folder);
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const weights = await loadBaseWeights(checkpoint, runtime);
  const base = new TrainingBase({ checkpoint, weights, precision: "int8", runtime });
  const hierarchical = await openHierarchy(weightsPath, { checkpoint, weights }, runtime);
  const general = await generalKnowledge(runtime, {
    hierarchical,
    tokenizer: await checkpoint.tokenizer(),
    corpora: folders.corpora,
    isQuick,
  });
  const statesOf: Readonly<Record<Arm, StatesOf>> = {
    dense: (ids) => shallowStates(base, ids),
    general: async (ids) => lookedUpStates(ids, await general.sourceFor(ids)),
  };
  const parts = { base, runtime, checkpoint, folders };
  return {
    async run(plan) {
      const started = performance.now();
      const isNer = tasks.ner.some((name) => name === plan.task);
      const scores = await (isNer ? runTokens : runTexts)(plan, parts, statesOf[plan.arm]);
      const seconds = Math.round((performance.now() - started) / 1000);
      return { ...plan, ...scores, seconds };
    },
    close: () => runtime.close(),
  };
}

interface Parts {
  readonly base: TrainingBase;
  readonly runtime: OrtRuntime;
  readonly checkpoint: Checkpoint;
  readonly folders: Readonly<Record<"classification" | "ner", string>>;
}

type Scores = Pick<Run, "devScore" | "testScore">;

async function runTexts(plan: Plan, parts: Parts, statesOf: StatesOf): Promise<Scores> {
  const { base, runtime, checkpoint, folders } = parts;
  const { pooling } = checkpoint;
  const tokenizer = await checkpoint.tokenizer();
  const task = await loadTask(folders.classification, plan.task, tokenizer);
  const labelCount = task.labels.length;
  const train = { ...task.train, states: await statesOf(task.train.ids) };
  const dev = { ...task.dev, states: await statesOf(task.dev.ids) };
  const test = { ...task.test, states: await statesOf(task.test.ids) };
  const options = { ...settings.classification, method: "adapter", seed: plan.seed } as const;
  const { devScore, tensors } = await fit(base, { train, dev, labelCount, pooling }, options);
  const testScore = await servedAccuracy(tensors, { base, runtime, labelCount, test });
  return { devScore: round(100 * devScore), testScore: round(100 * testScore) };
}

async function runTokens(plan: Plan, parts: Parts, statesOf: StatesOf): Promise<Scores> {
  const { base, runtime, checkpoint, folders } = parts;
  const task = await loadTokenTask(folders.ner, plan.task, checkpoint);
  const { labels } = task;
  const train = { ...task.train, states: await statesOf(task.train.ids) };
  const dev = { ...task.dev, states: await statesOf(task.dev.ids) };
  const test = { ...task.test, states: await statesOf(task.test.ids) };
  const options = { ...settings.ner, method: "adapter", seed: plan.seed } as const;
  const { devScore, tensors } = await fitTokens(base, { train, dev, labels }, options);
  const testScore = await servedEntityF1(tensors, { base, runtime, labels, test });
  return { devScore: round(100 * devScore), testScore: round(100 * testScore) };
}

async function runOnce(bench: Bench, plan: Plan): Promise<void> {
  const isSame = ({ task, arm, seed }: Plan): boolean =>
    task === plan.task && arm === plan.arm && seed === plan.seed;
  if (readResults().runs.some(isSame)) return;
  const run = await bench.run(plan);
  process.stderr.write(`${JSON.stringify(run)}\n`);
  const file = { machine: machine(), settings, runs: [...readResults().runs, run] };
  await replaceFile(resultPath, `${JSON.stringify(file, null, 2)}\n`);
}

function summary(runs: readonly Run[]): BenchResult {
  const differences: number[] = [];
  const rows: Record<string, unknown> = {};
  for (const task of [...tasks.classification, ...tasks.ner]) {
    const of = (arm: Arm): readonly Run[] =>
      runs.filter((run) => run.task === task && run.arm === arm);
    const own: number[] = [];
    for (const { seed, testScore } of of("general")) {
      const dense = of("dense").find((run) => run.seed === seed);
      if (dense !== undefined) own.push(testScore - dense.testScore);
    }
    rows[task] = {
      dense: mean(of("dense").map(({ testScore }) => testScore)),
      general: mean(of("general").map(({ testScore }) => testScore)),
      difference: mean(own),
    };
    differences.push(...own);
  }
  return {
    meanHierarchicalMinusDense: mean(differences),
    interval95: differences.length < 2 ? null : meanInterval(differences, 0.95),
    comparedRuns: differences.length,
    wantedRuns: (tasks.classification.length + tasks.ner.length) * seeds.length,
    tasks: rows,
    targets: { meanHierarchicalMinusDense: -1 },
  };
}

function readResults(): ResultFile {
  if (!existsSync(resultPath)) return { machine: machine(), settings, runs: [] };
  return JSON.parse(readFileSync(resultPath, "utf8")) as ResultFile; // written above
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : round(values.reduce((a, b) => a + b, 0) / values.length);
}
