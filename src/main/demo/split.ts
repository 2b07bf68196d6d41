/**
 * Balanced, grouped and seeded splits: every label gets the same number of examples, and no group
 * (a document, a thread of mails) is in both train and test.
 */
import type { Example } from "../../datasets/datasets.ts";
import { type Random, SeededRandom, permutation } from "../../foundation/random.ts";

export interface GroupedExample extends Example {
  /** What must not be torn apart, for example the name of the document. */
  readonly group: string;
}

export interface SplitOptions {
  readonly trainPerLabel: number;
  readonly testPerLabel: number;
  readonly seed: number;
}

export interface Split {
  readonly train: readonly Example[];
  readonly test: readonly Example[];
}

/**
 * Draws whole groups in a seeded order, first for test, then for train. The result does not depend
 * on the order of `examples`. A label with too few examples gives as many as it has.
 */
export function splitByGroup(examples: readonly GroupedExample[], options: SplitOptions): Split {
  const train: Example[] = [];
  const test: Example[] = [];
  const placed = new Map<string, "train" | "test">();
  const random = new SeededRandom(options.seed);
  const labels = [...groupBy(examples, (example) => example.label)].toSorted(byKey);
  for (const [label, ofLabel] of labels) {
    const counts = { train: 0, test: 0 };
    const groups = [...groupBy(ofLabel, (example) => example.group)].toSorted(byKey);
    for (const index of permutation(groups.length, random)) {
      const [name, members] = groups[index] ?? ["", []];
      const side = placed.get(name) ?? (counts.test < options.testPerLabel ? "test" : "train");
      placed.set(name, side);
      const room = (side === "test" ? options.testPerLabel : options.trainPerLabel) - counts[side];
      const taken = distinctTexts(members).slice(0, Math.max(0, room));
      counts[side] += taken.length;
      (side === "test" ? test : train).push(...taken.map(({ text }) => ({ text, label })));
    }
  }
  return { train: shuffled(train, random), test: shuffled(test, random) };
}

function shuffled(examples: readonly Example[], random: Random): Example[] {
  return [...permutation(examples.length, random)].flatMap((index) => examples[index] ?? []);
}

function distinctTexts(examples: readonly GroupedExample[]): GroupedExample[] {
  const byText = new Map(examples.map((example) => [example.text, example]));
  return [...byText.values()].toSorted((a, b) => compare(a.text, b.text));
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return compare(a[0], b[0]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
