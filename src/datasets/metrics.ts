/** How good predictions are. */
import { assert } from "../foundation/assert.ts";

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

/** The parts of one text that are right, of those that count. */
export interface RatioPart {
  readonly right: number;
  readonly count: number;
}

/**
 * The interval at 95 % of Σ right / Σ count over texts, whose own parts are not independent:
 * Wilson's for as many independent cases as give the ratio the variance that it has, by
 * linearisation, Σ (rightᵢ - ratio · countᵢ)² / (Σ count)² · n / (n - 1) (Korn and Graubard 1998),
 * and at most half of Σ count: of F1 = 2·TP / (expected + found) each case has two counts. Some
 * part counts.
 */
export function ratioInterval(parts: readonly RatioPart[]): Interval {
  const all = sum(parts.map(({ count }) => count));
  assert(all > 0, "some part counts");
  const mean = sum(parts.map(({ right }) => right)) / all;
  const squares = sum(parts.map(({ right, count }) => (right - mean * count) ** 2));
  const variance = (squares / all ** 2) * (parts.length / Math.max(1, parts.length - 1));
  const own = variance > 0 ? (mean * (1 - mean)) / variance : Infinity;
  const caseCount = Math.max(1, Math.min(own, all / 2));
  return { ...shareInterval(mean * caseCount, caseCount), mean };
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

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
