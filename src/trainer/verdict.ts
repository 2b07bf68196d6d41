/**
 * Whether a new version takes the served one's place: decided by texts that neither was trained
 * on, each content once, as a pure function of both versions' answers.
 */
import { type Interval, pairedDifference } from "../datasets/metrics.ts";

/** A text that neither version was trained on. */
export interface ComparedRow {
  /**
   * What it is right to answer: one label, or two where the data of the two versions differ. Such a
   * text decides nothing, since which data are mistaken cannot be known.
   */
  readonly labels: readonly string[];
  readonly servedAnswer: string;
  readonly newAnswer: string;
}

export interface Comparison {
  /** Texts under one label. */
  readonly count: number;
  /** Texts that stand under another label than before; they are in no other number here. */
  readonly relabelledCount: number;
  /** Share of right answers of the served version, in [0, 1]; 0 when nothing is compared. */
  readonly servedShare: number;
  /** The new version's share minus the served one's, at 90 %. */
  readonly difference: Interval;
}

/**
 * - `better`, `worse`: the interval of the difference lies above, or below, 0.
 * - `few`: neither, and fewer texts than a difference that matters would need to show.
 * - `alike`: neither, though it would have shown.
 */
export type Finding = "better" | "worse" | "few" | "alike";

/**
 * Texts from which 10 points more would show (nine times in ten, where the versions differ on a
 * fifth of the texts). With fewer, the version with the newer data is served unless it is found
 * worse: to demand proof of them would refuse what most often is better. See decision 0029.
 */
const enoughCount = 200;

export function compare(rows: readonly ComparedRow[]): Comparison {
  let [servedOnly, newOnly, servedRight, relabelledCount] = [0, 0, 0, 0];
  for (const { labels, servedAnswer, newAnswer } of rows) {
    if (labels.length > 1) {
      relabelledCount += 1;
      continue;
    }
    const [isServedRight, isNewRight] = [servedAnswer, newAnswer].map((a) => labels.includes(a));
    if (isServedRight) servedRight += 1;
    if (isServedRight && !isNewRight) servedOnly += 1;
    if (isNewRight && !isServedRight) newOnly += 1;
  }
  const count = rows.length - relabelledCount;
  const pairs = { count, firstOnlyCount: servedOnly, secondOnlyCount: newOnly };
  return {
    count,
    relabelledCount,
    servedShare: servedRight / Math.max(1, count),
    difference: pairedDifference(pairs),
  };
}

export function findingOf({ count, relabelledCount, difference }: Comparison): Finding {
  if (difference.low > 0) return "better";
  if (difference.high < 0) return "worse";
  // Contradictions are no proof of progress, however many they are.
  return count + relabelledCount < enoughCount ? "few" : "alike";
}

export function isToBeServed(finding: Finding): boolean {
  return finding === "better" || finding === "few";
}

/** Why the version is served or not, in a sentence. */
export function verdictOf(comparison: Comparison, served: number): string {
  const { count, relabelledCount } = comparison;
  if (count + relabelledCount === 0)
    return (
      `Served: the newer wins where no text is known that neither it nor version ${served} ` +
      `was trained on`
    );
  const texts = `${count} ${count === 1 ? "text" : "texts"} that neither was trained on`;
  const figures = count === 0 ? "" : `: ${figuresOf(comparison)}`;
  const relabelled =
    relabelledCount === 0
      ? ""
      : `; ${relabelledCount} more, which stand under another label than before, decide nothing`;
  const claim = `${claims[findingOf(comparison)]} than version ${served}`;
  return `${claim} on ${texts}${figures}${relabelled}`;
}

const claims: Readonly<Record<Finding, string>> = {
  better: "Served: better",
  worse: "Not served: worse",
  alike: "Not served: not found better",
  few:
    `Served: the newer wins where fewer than ${enoughCount} texts do not decide; ` +
    "not shown to be worse",
};

function figuresOf({ servedShare, difference: { mean, low, high } }: Comparison): string {
  const points = (share: number): string => (100 * share).toFixed(1);
  return (
    `${points(servedShare + mean)} % right against ${points(servedShare)} %, ` +
    `difference ${points(mean)} points, ${points(low)} to ${points(high)} at 90 %`
  );
}
