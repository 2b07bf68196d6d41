/**
 * Balanced, grouped and seeded splits: every label gets the same number of examples, and no group
 * (a document, a thread of mails) is in two parts.
 */
import type { LabelledText } from "../datasets/datasets.ts";
import { type Random, SeededRandom, permutation } from "../foundation/random.ts";

export interface GroupedExample extends LabelledText {
  /** What must not be torn apart, for example the name of the document. */
  readonly group: string;
}

/** How many examples of each label go where. */
export interface SplitSizes {
  readonly test: number;
  readonly dev: number;
  readonly train: number;
}

export interface Split {
  readonly train: readonly LabelledText[];
  /** Held out from training, to choose the better version by. */
  readonly dev: readonly LabelledText[];
  readonly test: readonly LabelledText[];
}

type Part = keyof Split;

/**
 * Draws whole groups in a seeded order, first for test, then for dev, then for train. The result
 * does not depend on the order of `examples`. A label with too few examples gives what it has.
 */
export function splitByGroup(
  examples: readonly GroupedExample[],
  { sizes, seed }: { readonly sizes: SplitSizes; readonly seed: number },
): Split {
  const split: Record<Part, LabelledText[]> = { train: [], dev: [], test: [] };
  const placed = new Map<string, Part>();
  const random = new SeededRandom(seed);
  const labels = [...groupBy(examples, (example) => example.label)].toSorted(byKey);
  for (const [label, ofLabel] of labels) {
    const counts = { train: 0, dev: 0, test: 0 };
    const groups = [...groupBy(ofLabel, (example) => example.group)].toSorted(byKey);
    for (const index of permutation(groups.length, random)) {
      const [name, members] = groups[index] ?? ["", []];
      const part = placed.get(name) ?? openPart(counts, sizes);
      placed.set(name, part);
      const taken = distinctTexts(members).slice(0, Math.max(0, sizes[part] - counts[part]));
      counts[part] += taken.length;
      split[part].push(...taken.map(({ text }) => ({ text, label })));
    }
  }
  return {
    train: shuffled(split.train, random),
    dev: shuffled(split.dev, random),
    test: shuffled(split.test, random),
  };
}

function openPart(counts: SplitSizes, sizes: SplitSizes): Part {
  if (counts.test < sizes.test) return "test";
  return counts.dev < sizes.dev ? "dev" : "train";
}

function shuffled(examples: readonly LabelledText[], random: Random): LabelledText[] {
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
