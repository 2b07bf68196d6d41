/** How good predictions are. */
import { assert } from "../foundation/assert.ts";

/** The words from `start` to before `end` name a thing of this type. */
export interface Entity {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The entities that the labels of a sentence's words mean: `B-` starts one, `I-` continues one of
 * the same type and else starts one, anything else ends it. This reads BIO files, files that use
 * `B-` only between neighbours of one type, and files of `I-` alone, where neighbours of one type
 * are one entity. Source: `conlleval` of CoNLL-2000.
 */
export function entitiesOf(labels: readonly string[]): readonly Entity[] {
  const entities: Entity[] = [];
  for (const [index, label] of labels.entries()) {
    if (!/^[BI]-/.test(label)) continue;
    const type = label.slice(2);
    const last = entities.at(-1);
    if (label.startsWith("I-") && last?.end === index && last.type === type)
      entities[entities.length - 1] = { ...last, end: index + 1 };
    else entities.push({ type, start: index, end: index + 1 });
  }
  return entities;
}

/**
 * F1 = 2·TP / (2·TP + FP + FN) over the entities of all sentences, in [0, 1]; an entity is right
 * when its type and both ends are. 0 when none is expected and none predicted. Both lists hold the
 * labels of each sentence's words.
 */
export function entityF1(
  expected: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
): number {
  assert(expected.length === predicted.length, "one prediction per sentence");
  let rightCount = 0;
  let count = 0;
  const keyOf = ({ type, start, end }: Entity): string => `${start} ${end} ${type}`;
  for (const [index, labels] of expected.entries()) {
    const wanted = new Set(entitiesOf(labels).map(keyOf));
    const found = entitiesOf(predicted[index] ?? []).map(keyOf);
    rightCount += found.filter((key) => wanted.has(key)).length;
    count += wanted.size + found.length;
  }
  return ratio(2 * rightCount, count);
}

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Wilson's interval of a share, of `count` ≥ 1 independent cases of which `rightCount` are right
 * (1927): it stays within [0, 1] and holds its level for few cases, too. The level is 95 %.
 */
export function shareInterval(rightCount: number, count: number): Interval {
  assert(count >= 1 && rightCount >= 0 && rightCount <= count, "a share of some cases");
  const z = 1.959964;
  const mean = rightCount / count;
  const spread = z * z + count;
  const middle = (rightCount + (z * z) / 2) / spread;
  const half = (z * Math.sqrt(rightCount * (1 - mean) + (z * z) / 4)) / spread;
  return { mean, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}

/** Answers of two models to the same cases. */
export interface Pairs {
  readonly count: number;
  /** Cases that only the first, or only the second, has right. */
  readonly firstOnlyCount: number;
  readonly secondOnlyCount: number;
}

/**
 * The second's share of right answers minus the first's, with the interval that belongs to the
 * exact sign test over the cases on which they differ (McNemar 1947): it lies above 0 exactly if
 * that test finds the second better at the one-sided level 5 %, and below 0 if it finds it worse.
 * The bounds are those of Clopper and Pearson (1934) at 90 % for the share of the second.
 */
export function pairedDifference({ count, firstOnlyCount, secondOnlyCount }: Pairs): Interval {
  const differing = firstOnlyCount + secondOnlyCount;
  assert(differing <= count, "each case is counted once");
  if (differing === 0) return { mean: 0, low: 0, high: 0 };
  const scaled = (share: number): number => ((2 * share - 1) * differing) / count;
  return {
    mean: (secondOnlyCount - firstOnlyCount) / count,
    low: scaled(exactLow(secondOnlyCount, differing)),
    high: scaled(1 - exactLow(firstOnlyCount, differing)),
  };
}

/** The share p at which `rightCount` or more of `count` have the probability 5 %; 0 for none. */
function exactLow(rightCount: number, count: number): number {
  if (rightCount === 0) return 0;
  let low = 0;
  let high = 1;
  for (let step = 0; step < 50; step++) {
    const middle = (low + high) / 2;
    if (shareAtLeast(rightCount, count, middle) < 0.05) low = middle;
    else high = middle;
  }
  return low;
}

/** P(X ≥ k) of a binomial X of n trials at p in (0, 1), summed from its logarithms. */
function shareAtLeast(k: number, n: number, p: number): number {
  const odds = Math.log(p) - Math.log1p(-p);
  let term = n * Math.log1p(-p); // of P(X = 0)
  let total = 0;
  for (let x = 0; x <= n; x++) {
    if (x >= k) total += Math.exp(term);
    term += Math.log(n - x) - Math.log(x + 1) + odds;
  }
  return total;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
