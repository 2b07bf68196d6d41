/**
 * Whether a new version takes the served one's place: decided by texts that neither was trained
 * on, each content once, as a pure function of how both versions' answers were judged. A text
 * speaks for the version that makes fewer errors in it.
 */
import { pairedDifference } from "../datasets/metrics.ts";
import {
  type Comparison,
  errorCount,
  type Judged,
  scoreOf,
  type ScoredTexts,
  type ScoreWords,
} from "../tasks/tasks.ts";

/** A text that neither version was trained on. */
export interface ComparedRow {
  /**
   * Whether the data of the two versions expect different answers. Such a text decides nothing,
   * since which data are mistaken cannot be known.
   */
  readonly isDisputed: boolean;
  /** Whether a label of it is in no text that the newer version was trained on. */
  readonly isUntaught: boolean;
  /** Whether the served version has all its labels, and so could be right. */
  readonly isFamiliar: boolean;
  readonly served: Judged;
  readonly newer: Judged;
}

/**
 * - `silent`: the newer version finds nothing, and the served one does. To say nothing is to make
 *   few errors, and no progress: it is served only if what the served one finds is all wrong, and
 *   that shows.
 * - `forgetful`: of labels that its data lack, or of all that the served version has, the newer one
 *   has lost more than half of what that knows, and that shows, whatever it has learned beside.
 * - `better`, `worse`: the interval of the difference lies above, or below, 0.
 * - `few`: neither, and fewer texts than a difference that matters would need to show.
 * - `alike`: neither, though it would have shown.
 */
export type Finding = "silent" | "forgetful" | "better" | "worse" | "few" | "alike";

/**
 * Texts from which 10 points more would show (nine times in ten, where the versions differ on a
 * fifth of the texts). With fewer, the version with the newer data is served unless it is found
 * worse: to demand proof of them would refuse what most often is better. See decision 0029.
 */
const enoughCount = 200;

export function compare(rows: readonly ComparedRow[]): Comparison {
  const deciding = rows.filter(({ isDisputed }) => !isDisputed);
  const scored = scoresOf(deciding);
  return {
    ...scored,
    disputedCount: rows.length - scored.count,
    isSilent: isSilent(deciding),
    untaught: scoresOf(deciding.filter(({ isUntaught }) => isUntaught)),
    familiar: scoresOf(deciding.filter(({ isFamiliar }) => isFamiliar)),
  };
}

function scoresOf(rows: readonly ComparedRow[]): ScoredTexts {
  let [fewerCount, moreCount] = [0, 0];
  for (const { served, newer } of rows) {
    const change = errorCount(newer) - errorCount(served);
    if (change < 0) fewerCount += 1;
    if (change > 0) moreCount += 1;
  }
  const count = rows.length;
  const pairs = { count, firstOnlyCount: moreCount, secondOnlyCount: fewerCount };
  return {
    count,
    servedScore: scoreOf(rows.map(({ served }) => served)),
    newerScore: scoreOf(rows.map(({ newer }) => newer)),
    fewerCount,
    moreCount,
    difference: pairedDifference(pairs),
  };
}

function isSilent(rows: readonly ComparedRow[]): boolean {
  return (
    rows.every(({ newer }) => newer.saidCount === 0) &&
    rows.some(({ newer }) => newer.count > 0) &&
    rows.some(({ served }) => served.saidCount > 0)
  );
}

export function findingOf(comparison: Comparison): Finding {
  const { count, disputedCount, servedScore, difference, untaught, familiar } = comparison;
  const isBetter = difference.low > 0;
  if (comparison.isSilent && (servedScore > 0 || !isBetter)) return "silent";
  // Where the served version has all labels, it is plainly better or worse.
  const hasNewLabels = familiar.count < count;
  if (isLost(untaught) || (hasNewLabels && isLost(familiar))) return "forgetful";
  if (isBetter) return "better";
  if (difference.high < 0) return "worse";
  // Contradictions are no proof of progress, however many they are.
  return count + disputedCount < enoughCount ? "few" : "alike";
}

function isLost({ newerScore, servedScore, difference }: ScoredTexts): boolean {
  return newerScore < servedScore / 2 && difference.high < 0;
}

export function isToBeServed(finding: Finding): boolean {
  return finding === "better" || finding === "few";
}

/** Why the version is served or not, in a sentence with the words of the task. */
export function verdictOf(
  comparison: Comparison,
  { served, words }: { readonly served: number; readonly words: ScoreWords },
): string {
  const { count, disputedCount } = comparison;
  const finding = findingOf(comparison);
  if (finding === "forgetful") return forgotten(comparison, { served, words });
  if (count + disputedCount === 0)
    return (
      `Served: the newer answers, since no text is known that neither it nor version ${served} ` +
      `was trained on`
    );
  const texts = `${count} ${count === 1 ? "text" : "texts"} that neither was trained on`;
  const figures = count === 0 ? "" : `: ${words.compared(comparison)}`;
  const disputed =
    disputedCount === 0 ? "" : `; ${disputedCount} more, ${words.disputed}, decide nothing`;
  const claim = claims[finding](`version ${served}`);
  return `${claim} on ${texts}${figures}${disputed}`;
}

function forgotten(
  { untaught, familiar }: Comparison,
  { served, words }: { readonly served: number; readonly words: ScoreWords },
): string {
  const [what, { count, newerScore, servedScore }] = isLost(untaught)
    ? ["labels that its data lack", untaught]
    : [`labels that version ${served} has`, familiar];
  const percent = (score: number): string => `${(100 * score).toFixed(1)} %`;
  return (
    `Not served: it has forgotten ${what}: ${words.name} ${percent(newerScore)} against ` +
    `${percent(servedScore)} of version ${served} on ${count} held-out texts with these; ` +
    `training begins anew, so that a file has to hold enough of all that is to be known`
  );
}

const claims: Readonly<Record<Exclude<Finding, "forgetful">, (served: string) => string>> = {
  silent: (served) => `Not served: it finds nothing, unlike ${served},`,
  better: (served) => `Served: better than ${served}`,
  worse: (served) => `Not served: worse than ${served}`,
  alike: (served) => `Not served: not found better than ${served}`,
  few: (served) =>
    `Served: the newer answers, since fewer than ${enoughCount} texts can be compared and it is ` +
    `not shown to be worse than ${served}`,
};
