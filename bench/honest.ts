/**
 * Claim `honest`: figures that cannot be learned by heart. Coin flips are trained on twice, with
 * the file grown, moved, repeated or written anew in between: the served version's own figure must
 * stay at one half. Real tasks grow, or get wrong labels: the better version must be served, and
 * the worse one not. The long run adds to its result file case by case and goes on where it was
 * stopped; `--quick` repeats some cases and prints the file's summary.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Version } from "../src/entities/virtual-model.ts";
import { present } from "../src/foundation/assert.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { openRealStage, openSmallStage, type Stage } from "./honest-stage.ts";
import { type Change, changed, changes, coinFlips, type Row, shuffled } from "./honest-texts.ts";
import { commitOf, machine, round } from "./measure.ts";
import { readRows, taskFolder } from "./tasks.ts";
import { meanInterval } from "./mean-interval.ts";

/** Two trainings on labels that are coin flips. */
interface CoinCase {
  readonly base: CoinBase;
  readonly seed: number;
  readonly change: Change;
  /** Figures of the served version after the first and after the second training. */
  readonly first: number;
  readonly second: number;
  readonly isSecondServed: boolean;
}

const secondFiles = [
  "grown",
  "random labels",
  "new rows of random labels",
  "swapped labels",
] as const;

type SecondFile = (typeof secondFiles)[number];

/** A second training on a real task; figures are shares of right answers to its test file. */
interface RealCase {
  readonly task: string;
  readonly seed: number;
  readonly firstCount: number;
  readonly secondCount: number;
  readonly second: SecondFile;
  readonly testBefore: number;
  readonly testAfter: number;
  readonly isSecondServed: boolean;
  readonly verdict: string;
}

interface ResultFile {
  readonly machine: unknown;
  readonly commit: string;
  readonly coins: readonly CoinCase[];
  readonly reals: readonly RealCase[];
}

/** Tasks over each base: the real one takes seconds for what takes the small one a fraction. */
const coinCounts = { "all-MiniLM-L6-v2": 100, small: 300 } as const;
type CoinBase = keyof typeof coinCounts;
const coinRowCount = 200;
interface RealSetup {
  readonly task: string;
  readonly seed: number;
  /** Rows of the first file, and of the grown one. */
  readonly firstCount: number;
  readonly secondCount: number;
  readonly seconds: readonly SecondFile[];
}

const mislabelled = ["random labels", "new rows of random labels"] as const;
/** Sizes from which growing makes better by far, and at which something is held out. */
const realSetups: readonly RealSetup[] = [
  ...[0, 1, 2].flatMap((seed) => {
    const seconds = seed === 0 ? secondFiles : (["grown", ...mislabelled] as const);
    return [
      { task: "banking77", seed, firstCount: 231, secondCount: 924, seconds },
      { task: "trec", seed, firstCount: 100, secondCount: 800, seconds: ["grown"] as const },
      { task: "trec", seed, firstCount: 200, secondCount: 800, seconds },
    ];
  }),
  { task: "trec", seed: 0, firstCount: 150, secondCount: 1_500, seconds: secondFiles },
  // Of which too few texts are held out to tell: reported apart.
  { task: "trec", seed: 0, firstCount: 60, secondCount: 300, seconds: secondFiles },
];
const smallFileRows = 100;
/** Rows of a test file: enough to tell 10 points. */
const testRowCountMax = 1_000;
/** Enough for labels to be learned by heart, and for an epoch to be chosen. */
const coinEpochCount = 4;
/** The gain on the test file from which the second version counts as better. */
const betterBy = 0.1;

const resultPath = join(import.meta.dirname, "../../bench/results/honest.json");

export async function benchHonest({ isQuick, cacheFolder }: BenchOptions): Promise<BenchResult> {
  const stages = {
    "all-MiniLM-L6-v2": await openRealStage(cacheFolder),
    small: await openSmallStage(),
  };
  try {
    if (isQuick) {
      const again: CoinCase[] = [];
      for (const [base, count] of [
        ["small", 30],
        ["all-MiniLM-L6-v2", 2],
      ] as const)
        for (let seed = 0; seed < count; seed++)
          again.push(await coinCase(stages[base], base, seed));
      const repeated = {
        meanFirst: mean(again.map(({ first }) => first)),
        meanSecond: mean(again.map(({ second }) => second)),
        coins: again,
      };
      return { ...summary(readResults()), repeated };
    }
    await runAll(stages);
    return summary(readResults());
  } finally {
    for (const stage of Object.values(stages)) await stage.close();
  }
}

async function runAll(stages: Readonly<Record<CoinBase, Stage>>): Promise<void> {
  const commit = commitOf();
  const add = (found: Partial<Pick<ResultFile, "coins" | "reals">>): void => {
    const file = readResults();
    const coins = [...file.coins, ...(found.coins ?? [])];
    const reals = [...file.reals, ...(found.reals ?? [])];
    writeResults({ machine: machine(), commit, coins, reals });
    process.stderr.write(`${JSON.stringify(found)}\n`);
  };
  for (const base of ["small", "all-MiniLM-L6-v2"] as const)
    for (let seed = 0; seed < coinCounts[base]; seed++)
      if (!readResults().coins.some((known) => known.base === base && known.seed === seed))
        add({ coins: [await coinCase(stages[base], base, seed)] });
  const folder = taskFolder();
  for (const setup of folder === undefined ? [] : realSetups) {
    const isKnown = ({ task, seed, firstCount }: RealCase): boolean =>
      task === setup.task && seed === setup.seed && firstCount === setup.firstCount;
    if (readResults().reals.some(isKnown)) continue;
    add({ reals: await realCases(stages["all-MiniLM-L6-v2"], folder ?? "", setup) });
  }
}

/** Every other one begins as an instant version, the rest with a job of their own. */
async function coinCase(stage: Stage, base: CoinBase, seed: number): Promise<CoinCase> {
  const vocabulary = base === "small" ? "small" : "english";
  const rows = coinFlips(coinRowCount, vocabulary, new SeededRandom(seed));
  const change = changes[seed % changes.length] ?? "grown";
  const isInstant = Math.floor(seed / changes.length) % 2 === 0;
  const before = isInstant
    ? await stage.create(rows)
    : (await stage.train(undefined, rows, coinEpochCount)).model;
  const first = figureOf(await stage.served(before));
  const { model } = await stage.train(
    before,
    changed(rows, change, { vocabulary, seed }),
    coinEpochCount,
  );
  const second = figureOf(await stage.served(model));
  const isSecondServed = model.servedVersion !== before.servedVersion;
  await stage.delete(model);
  return { base, seed, change, first, second, isSecondServed };
}

function figureOf({ metrics }: Version): number {
  return present(metrics["devAccuracy"], "200 texts have some that are held out");
}

/** One first training, and from it a second one on each kind of file. */
async function realCases(
  stage: Stage,
  folder: string,
  setup: RealSetup,
): Promise<readonly RealCase[]> {
  const { seconds, ...facts } = setup;
  const { task, seed, firstCount, secondCount } = facts;
  const random = new SeededRandom(seed, 7);
  const all = shuffled(present(await readRows(folder, task, "train"), "the task's rows"), random);
  const ownTest = present(await readRows(folder, task, "test"), "the task's test file");
  const test = shuffled(ownTest, random).slice(0, testRowCountMax);
  const rows = all.slice(0, firstCount);
  const { model: before } = await stage.train(undefined, trainable(rows));
  const first = await stage.served(before);
  const testBefore = await stage.testAccuracy(first, test);
  const cases: RealCase[] = [];
  for (const second of seconds) {
    const file = secondFile(second, { all, rows, secondCount, random });
    await stage.serve(before, first.number);
    const { model, versions } = await stage.train(before, trainable(file));
    const last = present(versions.at(-1), "a version was trained");
    cases.push({
      ...facts,
      second,
      testBefore: round(testBefore),
      testAfter: round(await stage.testAccuracy(last, test)),
      isSecondServed: model.servedVersion === last.number,
      verdict: last.verdict ?? "",
    });
  }
  await stage.delete(before);
  return cases;
}

function secondFile(
  second: SecondFile,
  parts: {
    readonly all: readonly Row[];
    readonly rows: readonly Row[];
    readonly secondCount: number;
    readonly random: SeededRandom;
  },
): readonly Row[] {
  const { all, rows, secondCount, random } = parts;
  const labels = [...new Set(rows.map(({ label }) => label))].toSorted();
  const guessed = ({ text }: Row): Row => ({
    text,
    label: labels[random.integer(labels.length)] ?? "",
  });
  switch (second) {
    case "grown":
      return all.slice(0, secondCount);
    case "random labels":
      return rows.map(guessed);
    case "new rows of random labels":
      return all.slice(rows.length, 2 * rows.length).map(guessed);
    case "swapped labels":
      return rows.map(({ text, label }) => {
        const index = (labels.indexOf(label) + 1) % labels.length;
        return { text, label: labels[index] ?? "" };
      });
  }
}

/** A label of one row alone cannot be trained on. */
function trainable(rows: readonly Row[]): readonly Row[] {
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  return rows.filter(({ label }) => (counts.get(label) ?? 0) > 1);
}

function summary({ coins, reals, ...rest }: ResultFile): BenchResult {
  const isSmall = ({ firstCount }: RealCase): boolean => firstCount < smallFileRows;
  const ofBase = (base: CoinBase): BenchResult =>
    coinFigures(coins.filter((one) => one.base === base));
  return {
    ...coinFigures(coins),
    coinTasksByBase: { "all-MiniLM-L6-v2": ofBase("all-MiniLM-L6-v2"), small: ofBase("small") },
    ...servedShares(reals.filter((one) => !isSmall(one))),
    smallFiles: servedShares(reals.filter(isSmall)),
    targets: {
      meanFirst: [0.48, 0.52],
      meanSecond: [0.48, 0.52],
      coinTasks: 200,
      servedWhenBetter: 0.9,
      servedWhenWorse: 0.05,
    },
    ...rest,
    coins,
    reals,
  };
}

function coinFigures(coins: readonly CoinCase[]): BenchResult {
  const firsts = coins.map(({ first }) => first);
  const seconds = coins.map(({ second }) => second);
  const intervalOf = (values: readonly number[]) =>
    values.length < 2 ? null : meanInterval(values, 0.95);
  return {
    meanFirst: mean(firsts),
    meanSecond: mean(seconds),
    intervals95: { first: intervalOf(firsts), second: intervalOf(seconds) },
    coinTasks: coins.length,
    coinSecondServed: shareServed(coins),
  };
}

function servedShares(cases: readonly RealCase[]): BenchResult {
  const grown = cases.filter(({ second }) => second === "grown");
  const better = grown.filter(({ testBefore, testAfter }) => testAfter - testBefore >= betterBy);
  const worse = cases.filter(({ second }) => second.endsWith("random labels"));
  return {
    servedWhenBetter: shareServed(better),
    betterCases: better.length,
    servedWhenWorse: shareServed(worse),
    worseCases: worse.length,
    servedWhenSwapped: shareServed(cases.filter(({ second }) => second === "swapped labels")),
    servedWhenGrown: shareServed(grown),
  };
}

function shareServed(cases: readonly { readonly isSecondServed: boolean }[]): number | null {
  return mean(cases.map(({ isSecondServed }) => (isSecondServed ? 1 : 0)));
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : round(values.reduce((a, b) => a + b, 0) / values.length);
}

function readResults(): ResultFile {
  if (!existsSync(resultPath))
    return { machine: machine(), commit: commitOf(), coins: [], reals: [] };
  return JSON.parse(readFileSync(resultPath, "utf8")) as ResultFile; // written below
}

function writeResults(file: ResultFile): void {
  mkdirSync(dirname(resultPath), { recursive: true });
  writeFileSync(`${resultPath}.new`, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(`${resultPath}.new`, resultPath);
}
