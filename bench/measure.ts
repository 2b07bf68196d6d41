/** Times arms of a comparison in turn, in one process: a slow spell of the machine hits all. */
import { execFileSync } from "node:child_process";
import { cpus, totalmem } from "node:os";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

export interface MeasureOptions {
  /** Rounds over all arms that are not counted. */
  readonly warmupCount: number;
  readonly roundCount: number;
  /** Stops earlier when this time is over. */
  readonly budgetMs: number;
}

/** Milliseconds of each arm per round, in the order of the arms. */
export async function measure<Name extends string>(
  arms: Readonly<Record<Name, () => Promise<unknown>>>,
  { warmupCount, roundCount, budgetMs }: MeasureOptions,
): Promise<Readonly<Record<Name, readonly number[]>>> {
  const names = Object.keys(arms) as Name[]; // the record's own keys
  const lists: unknown = Object.fromEntries(names.map((name) => [name, []]));
  const times = lists as Record<Name, number[]>; // one list per name
  const started = performance.now();
  for (let round = -warmupCount; round < roundCount; round++) {
    if (round > 2 && performance.now() - started > budgetMs) break;
    for (const name of names) {
      const start = performance.now();
      await arms[name]();
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  return times;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
  return {
    median: round(at(0.5)),
    min: round(at(0)),
    max: round(at(1)),
    count: sorted.length,
  };
}

/** The median over the rounds of `a / b`, taken round by round. */
export function medianRatio(a: readonly number[], b: readonly number[]): number {
  return spreadOf(a.map((value, index) => value / (b[index] ?? NaN))).median;
}

export function round(value: number, digits = 4): number {
  return Number(value.toPrecision(digits));
}

/** What a reader needs to judge figures of time. */
export function machine(): Readonly<Record<string, unknown>> {
  const [first] = cpus();
  return {
    cpu: first?.model.trim(),
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
  };
}

/** What was built, in short. */
export function commitOf(): string {
  return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  }).trim();
}
