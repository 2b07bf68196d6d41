/**
 * Runs of the hierarchy's claims of accuracy: one adapter, trained on the states of one arm and
 * tested through the serving graph in int8 on states of the same arm. Runs go to a result file one
 * by one, so that a claim that was stopped goes on; those made from other weights are passed over.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBaseCheckpoint, openPulledBase } from "../src/sources/base-cache.ts";
import { type BaseWeights, loadBaseWeights } from "../src/checkpoints/base-weights.ts";
import type { Checkpoint } from "../src/checkpoints/checkpoints.ts";
import { type HierarchicalBase, openHierarchy } from "../src/checkpoints/hierarchy.ts";
import { assert, present } from "../src/foundation/assert.ts";
import { digestOf } from "../src/foundation/digest.ts";
import { upperBottleneck } from "../src/models/adapters/adapters.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import { fit } from "../src/learning/learning.ts";
import { lookedUpStates } from "../src/distillation/looked-up-states.ts";
import { shallowStates, type Source } from "../src/learning/sequences.ts";
import { TrainingBase } from "../src/learning/training-base.ts";
import { servedScore } from "./accuracy-serving.ts";
import {
  CorpusKnowledge,
  type DomainRule,
  generalShares,
  rowPrecision,
} from "./corpus-knowledge.ts";
import { commitOf, machine, round } from "./measure.ts";
import { corporaFolder, loadTask, taskFolder } from "./tasks.ts";

/** What the domain of an arm keeps; those without one ask no domain. */
export const rules = {
  dense: undefined,
  general: undefined,
  biomedical: { alpha: 0.5, prunedShare: 0 },
  "biomedical-0.3": { alpha: 0.3, prunedShare: 0 },
  "biomedical-0.5-pruned-0.5": { alpha: 0.5, prunedShare: 0.5 },
  "biomedical-0.5-pruned-0.75": { alpha: 0.5, prunedShare: 0.75 },
} as const satisfies Readonly<Record<string, DomainRule | undefined>>;

export type Arm = keyof typeof rules;

export interface Setup {
  readonly task: string;
  readonly arm: Arm;
  readonly seed: number;
  /** The most that are run. */
  readonly epochCount: number;
}

export interface Run extends Setup {
  /** What the states were made by; null for the base itself. */
  readonly weights: string | null;
  readonly devScore: number;
  /** Accuracy, or F1 over entities, in percent. */
  readonly testScore: number;
  readonly seconds: number;
  readonly commit: string;
}

/** What a process answers that was told a setup. */
export type RunReply = { readonly run: Run } | { readonly error: string };

export const nerTasks: readonly string[] = ["bc5cdr", "ncbi-disease", "scierc"];

export const settings = {
  classification: { learningRate: 1e-3, batchSize: 16, rank: 64, patience: 4 },
  ner: { learningRate: 4e-3, batchSize: 8, rank: 32, patience: 4 },
  rules,
  tables: { generalShares, words: "all of the vocabulary", rowPrecision },
} as const;

const resultFolder = join(import.meta.dirname, "../../bench/results");
const weightsFolder = join(import.meta.dirname, "../../models");
const weightsPaths = {
  general: join(weightsFolder, "all-MiniLM-L6-v2.safetensors"),
  domain: join(weightsFolder, "all-MiniLM-L6-v2.biomedical.safetensors"),
};

/** Why there can be no runs, if so. */
export function lackOfRuns(): string | undefined {
  const folders = [taskFolder(), taskFolder("ner"), corporaFolder()];
  if (folders.includes(undefined)) return "the tasks are not beside this checkout";
  const absent = Object.values(weightsPaths).find((path) => !existsSync(path));
  return absent === undefined ? undefined : `there are no weights at ${absent}`;
}

/** The arm's weights, in short; null for the base itself. */
export function weightsOf(arm: Arm): string | null {
  if (arm === "dense") return null;
  return fingerprints[rules[arm] === undefined ? "general" : "domain"]();
}

const fingerprints = { general: once("general"), domain: once("domain") };

function once(kind: keyof typeof weightsPaths): () => string {
  let known: string | undefined;
  return () => (known ??= digestOf(readFileSync(weightsPaths[kind])).slice(0, 19));
}

interface ResultFile {
  readonly machine: unknown;
  readonly settings: unknown;
  readonly runs: readonly Run[];
}

/** The committed file of a claim. One process writes it. */
export class RunFile {
  readonly #path: string;

  constructor(name: string) {
    this.#path = join(resultFolder, name);
  }

  read(): ResultFile {
    if (!existsSync(this.#path)) return { machine: machine(), settings, runs: [] };
    return JSON.parse(readFileSync(this.#path, "utf8")) as ResultFile; // written below
  }

  /** Those whose weights are the present ones. */
  runs(): readonly Run[] {
    return this.read().runs.filter(({ arm, weights }) => weights === weightsOf(arm));
  }

  add(run: Run): void {
    const file = { machine: machine(), settings, runs: [...this.read().runs, run] };
    writeFileSync(`${this.#path}.new`, `${JSON.stringify(file, null, 2)}\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }
}

export function isSame(run: Setup, setup: Setup): boolean {
  const key = ({ task, arm, seed, epochCount }: Setup): string =>
    [task, arm, seed, epochCount].join();
  return key(run) === key(setup);
}

export interface HierarchicalBench {
  /** The general one. */
  readonly base: HierarchicalBase;
  readonly knowledge: CorpusKnowledge;
  run(setup: Setup): Promise<Run>;
  close(): Promise<void>;
}

export interface BenchSetting {
  readonly cacheFolder: string;
  readonly threadCount: number;
}

export async function openBench(setting: BenchSetting): Promise<HierarchicalBench> {
  const { cacheFolder, threadCount } = setting;
  const pulled = await openPulledBase(cacheFolder, "all-MiniLM-L6-v2");
  const checkpoint = await openBaseCheckpoint(pulled);
  const runtime = new OrtRuntime({ threadCount, spinUs: threadCount === 1 ? 0 : 500 });
  const weights = await loadBaseWeights(checkpoint, runtime);
  const open = (path: string) => openHierarchy(path, { checkpoint, weights }, runtime);
  const bases = {
    general: await open(weightsPaths.general),
    domain: await open(weightsPaths.domain),
  };
  for (const { config } of Object.values(bases))
    assert(
      config.shallowLayerCount === checkpoint.config.shallowLayerCount,
      "Adapters of all arms lie in the same layers",
    );
  assert(
    bases.domain.from === bases.general.digest,
    "The general form merges and reads the domain's rows: the domain's form started from it",
  );
  const trainingBase = (own: BaseWeights): TrainingBase =>
    new TrainingBase({ checkpoint, weights: own, precision: "int8", runtime });
  const tokenizer = await checkpoint.tokenizer();
  const corpora = present(corporaFolder(), "the corpora were looked for");
  const knowledge = await CorpusKnowledge.open(runtime, { bases, tokenizer, corpora });
  const trainingBases = {
    dense: trainingBase(weights),
    hierarchical: trainingBase(bases.general.weights),
  };
  // When it began: the repository may move on while it lasts.
  const commit = commitOf();
  return {
    base: bases.general,
    knowledge,
    async run(setup) {
      const started = performance.now();
      const base = trainingBases[setup.arm === "dense" ? "dense" : "hierarchical"];
      const parts = { base, runtime, checkpoint, knowledge };
      const scores = await runTask(setup, parts);
      const seconds = Math.round((performance.now() - started) / 1000);
      return { ...setup, weights: weightsOf(setup.arm), ...scores, seconds, commit };
    },
    close: () => runtime.close(),
  };
}

interface Parts {
  /** The arm's base: the hierarchical form may have upper layers of its own. */
  readonly base: TrainingBase;
  readonly runtime: OrtRuntime;
  readonly checkpoint: Checkpoint;
  readonly knowledge: CorpusKnowledge;
}

type Scores = Pick<Run, "devScore" | "testScore">;

async function runTask(setup: Setup, parts: Parts): Promise<Scores> {
  const { base, runtime, checkpoint } = parts;
  const { pooling } = checkpoint;
  const isNer = nerTasks.includes(setup.task);
  const folder = present(taskFolder(isNer ? "ner" : "classification"), "it was looked for");
  const task = await loadTask(folder, setup.task, await checkpoint.tokenizer());
  const { kind } = task;
  const labelCount = task.labels.length;
  const { train, dev, test } = await withStates(task, setup.arm, parts);
  const { seed, epochCount } = setup;
  const own = isNer ? settings.ner : settings.classification;
  const adapter = upperBottleneck(checkpoint.config, own.rank);
  const options = { ...own, adapter, seed, epochCount };
  const fitted = await fit(base, { kind, train, dev, labelCount, pooling }, options);
  const testScore = await servedScore(fitted, { base, runtime, kind, labelCount, test });
  return scoresOf(fitted.devScore, testScore);
}

function scoresOf(devScore: number | undefined, testScore: number): Scores {
  const dev = present(devScore, "every task has a dev");
  return { devScore: round(100 * dev), testScore: round(100 * testScore) };
}

/** The dense arm's test keeps to ids: the serving graph computes their shallow part, too. */
async function withStates<S extends Source>(
  { train, dev, test }: Readonly<Record<"train" | "dev" | "test", S>>,
  arm: Arm,
  { base, knowledge }: Parts,
): Promise<Readonly<Record<"train" | "dev" | "test", S>>> {
  const ids = [train, dev, test].flatMap((part) => part.ids);
  const source = arm === "dense" ? undefined : await knowledge.sourceFor(ids, rules[arm]);
  const statesOf = (part: S): Promise<readonly Float32Array[]> =>
    source === undefined ? shallowStates(base, part.ids) : lookedUpStates(part.ids, source);
  return {
    train: { ...train, states: await statesOf(train) },
    dev: { ...dev, states: await statesOf(dev) },
    test: source === undefined ? test : { ...test, states: await statesOf(test) },
  };
}
