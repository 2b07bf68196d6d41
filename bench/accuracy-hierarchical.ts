/**
 * Claim `accuracyHierarchical`: adapters over looked-up states are about as good as adapters over
 * computed ones, and a domain's own rows gain on its tasks. All are trained with the same settings
 * and tested through the serving graph in int8; the looked-up states come from the tables and the
 * back-off that claim `hierarchy` times. Where claim `accuracy` has made a dense run with exactly
 * these settings, it is taken over from that claim's result file.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Interval } from "../src/datasets/metrics.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { runPlans } from "./hierarchical-processes.ts";
import {
  type Arm,
  isSame,
  lackOfRuns,
  openBench,
  type Setup,
  type Run,
  RunFile,
  settings,
} from "./hierarchical-runs.ts";
import { round } from "./measure.ts";
import { meanInterval } from "./mean-interval.ts";

/** Epochs at most, by task; cheap tasks first. */
const tasks: Readonly<Record<string, number>> = {
  bc5cdr: 8,
  "ncbi-disease": 8,
  scierc: 8,
  newsgroup: 8,
  "rct-20k": 8,
  "citation-intent": 8,
  "sci-cite": 8,
  chemprot: 8,
  trec: 8,
  banking77: 8,
  "chemprot-full": 4,
};
const longTasks: readonly string[] = ["banking77", "chemprot-full"];
const biomedicalTasks: readonly string[] = [
  "chemprot",
  "rct-20k",
  "ncbi-disease",
  "bc5cdr",
  "chemprot-full",
];
const seeds = [0, 1, 2] as const;
/** Short enough to be repeated at once; no part of the comparison. */
const quickSetup: Setup = { task: "newsgroup", arm: "general", seed: 0, epochCount: 2 };

const resultFile = new RunFile("accuracy-hierarchical.json");
const densePath = join(import.meta.dirname, "../../bench/results/accuracy.json");

export async function benchAccuracyHierarchical(options: BenchOptions): Promise<BenchResult> {
  const { isQuick, cacheFolder } = options;
  const skipped = lackOfRuns();
  if (skipped !== undefined) return { skipped };
  const known = knownRuns();
  if (isQuick) {
    const before = known.find((run) => isSame(run, quickSetup))?.testScore ?? null;
    const threadCount = availableParallelism();
    const bench = await openBench({ cacheFolder, threadCount });
    const again = await bench.run(quickSetup);
    await bench.close();
    return { ...summary(known), repeated: { before, again }, ...resultFile.read() };
  }
  const setups = [quickSetup, ...comparedSetups()];
  const open = setups.filter((setup) => !known.some((run) => isSame(run, setup)));
  await runPlans(open, cacheFolder, (run) => {
    process.stderr.write(`${JSON.stringify(run)}\n`);
    resultFile.add(run);
  });
  return { ...summary(knownRuns()), ...resultFile.read() };
}

/** Seed by seed, and the long tasks after all others: a stopped claim has seen the most. */
function comparedSetups(): readonly Setup[] {
  const isLong = ([task]: readonly [string, number]): boolean => longTasks.includes(task);
  const all = Object.entries(tasks);
  return [all.filter((entry) => !isLong(entry)), all.filter(isLong)].flatMap((group) =>
    seeds.flatMap((seed) =>
      group.flatMap(([task, epochCount]) => {
        const arms: readonly Arm[] = biomedicalTasks.includes(task)
          ? ["dense", "general", "biomedical"]
          : ["dense", "general"];
        return arms.map((arm) => ({ task, arm, seed, epochCount }));
      }),
    ),
  );
}

type Score = Setup & Pick<Run, "testScore">;

function knownRuns(): readonly Score[] {
  return [...resultFile.runs(), ...denseRuns()];
}

/** The file of claim `accuracy`, as far as it matters here. */
interface DenseFile {
  readonly settings: {
    readonly rank: number;
    readonly patience: number;
    readonly batchSize: { readonly adapter: number };
    readonly tasks: Readonly<Record<string, { readonly adapter: number }>>;
  };
  readonly runs: readonly {
    readonly task: string;
    readonly method: string;
    readonly seed: number;
    readonly learningRate: number;
    readonly testAccuracy: number;
  }[];
}

/** Adapter runs of claim `accuracy` whose settings are those of this claim. */
function denseRuns(): readonly Score[] {
  const file = JSON.parse(readFileSync(densePath, "utf8")) as DenseFile; // written by that claim
  const { learningRate, rank, patience, batchSize } = settings.classification;
  const theirs = file.settings;
  if (theirs.rank !== rank || theirs.patience !== patience) return [];
  if (theirs.batchSize.adapter !== batchSize) return [];
  return file.runs.flatMap(({ task, seed, testAccuracy: testScore, ...run }) => {
    const epochCount = theirs.tasks[task]?.adapter ?? 0;
    const isTaken =
      run.method === "adapter" && run.learningRate === learningRate && epochCount === tasks[task];
    return isTaken ? [{ task, arm: "dense", seed, epochCount, testScore }] : [];
  });
}

function summary(runs: readonly Score[]): BenchResult {
  const setups = comparedSetups();
  const compared = runs.filter((run) => setups.some((setup) => isSame(run, setup)));
  const of = (task: string, arm: Arm): readonly Score[] =>
    compared.filter((run) => run.task === task && run.arm === arm);
  const gains = (task: string, [arm, other]: readonly [Arm, Arm]): readonly number[] =>
    of(task, arm).flatMap((run) => {
      const against = of(task, other).find(({ seed }) => seed === run.seed);
      return against === undefined ? [] : [run.testScore - against.testScore];
    });
  const names = Object.keys(tasks);
  const hierarchical = names.map((task) => gains(task, ["general", "dense"]));
  const domain = biomedicalTasks.map((task) => gains(task, ["biomedical", "general"]));
  const fitting = names.map((task) =>
    gains(task, [biomedicalTasks.includes(task) ? "biomedical" : "general", "dense"]),
  );
  const rows = names.map((task) => [
    task,
    {
      dense: meanScore(of(task, "dense")),
      general: meanScore(of(task, "general")),
      biomedical: meanScore(of(task, "biomedical")),
      generalMinusDense: mean(gains(task, ["general", "dense"])),
      biomedicalMinusGeneral: mean(gains(task, ["biomedical", "general"])),
      seeds: of(task, "general").length,
    },
  ]);
  return {
    /** Means over tasks; intervals over tasks, and over runs as if those were independent. */
    meanHierarchicalMinusDense: meanOfTasks(hierarchical),
    interval95: intervals(hierarchical),
    /** Biomedical tasks with their domain's knowledge, the others with the general one. */
    meanWithDomainMinusDense: meanOfTasks(fitting),
    withDomainInterval95: intervals(fitting),
    domainGainOnBiomedical: meanOfTasks(domain),
    domainGainInterval95: intervals(domain),
    comparedRuns: { hierarchical: hierarchical.flat().length, domain: domain.flat().length },
    wantedRuns: {
      hierarchical: names.length * seeds.length,
      domain: biomedicalTasks.length * seeds.length,
    },
    tasks: Object.fromEntries(rows) as unknown,
    targets: { meanHierarchicalMinusDense: -1, domainGainOnBiomedical: "> 0" },
  };
}

/** Seeds of a task share its texts: they are averaged first. */
function taskMeans(byTask: readonly (readonly number[])[]): readonly number[] {
  return byTask.flatMap((differences) => mean(differences) ?? []);
}

function meanOfTasks(byTask: readonly (readonly number[])[]): number | null {
  return mean(taskMeans(byTask));
}

function intervals(byTask: readonly (readonly number[])[]): unknown {
  const of = (differences: readonly number[]): Interval | null =>
    differences.length < 2 ? null : meanInterval(differences, 0.95);
  return { overTasks: of(taskMeans(byTask)), overRuns: of(byTask.flat()) };
}

function meanScore(runs: readonly Score[]): number | null {
  return mean(runs.map(({ testScore }) => testScore));
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : round(values.reduce((a, b) => a + b, 0) / values.length);
}
