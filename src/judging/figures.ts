/** Figures of versions: what is counted on held-out texts, and how it is told. */
import { present } from "../foundation/assert.ts";
import { figureOf } from "../tasks/figure.ts";
import type { Answer, Comparison, ScoreWords, TaskKind } from "../tasks/tasks.ts";

export type Figures = Readonly<Record<string, number>>;

/**
 * A version's own figures: the task's score on held-out texts, each counted once, with its
 * interval. Where nothing is held out there is no score, and none is made up.
 */
export function ownFigures(
  kind: TaskKind,
  expected: readonly Answer[],
  answers: readonly Answer[],
): Figures {
  const devCount = expected.length;
  const judged = expected.map((answer, index) =>
    kind.judged(answer, present(answers[index], "an answer to each text")),
  );
  if (!judged.some(({ count }) => count > 0)) return { devCount };
  const { mean, low, high } = kind.interval(judged);
  const { figure } = kind.score;
  return { [figure]: mean, [`${figure}Low`]: low, [`${figure}High`]: high, devCount };
}

/** The figures of a comparison: the served version's score, and the difference at 90 %. */
export function comparedFigures(
  { baseline }: ScoreWords,
  { count, servedScore, difference }: Comparison,
): Figures {
  if (count === 0) return { comparedCount: 0 };
  return {
    comparedCount: count,
    [baseline]: servedScore,
    difference: difference.mean,
    differenceLow: difference.low,
    differenceHigh: difference.high,
  };
}

/** "86.7 % of 30 held-out texts are right (70.3 to 94.7)", or that nothing is held out. */
export function figureText(kind: TaskKind, figures: Figures): string {
  const figure = figureOf(kind, figures);
  if (figure === undefined) return "too few texts to hold any out: no figure";
  const { value, low = NaN, high = NaN, count = 0 } = figure;
  const points = (share: number): string => (100 * share).toFixed(1);
  return `${points(value)} % ${kind.score.said(count)} (${points(low)} to ${points(high)})`;
}

/** The names of a version's figures in events, beside those of the task's score. */
const eventNames: Readonly<Record<string, string>> = {
  devCount: "dev_count",
  comparedCount: "compared_count",
  difference: "difference",
  differenceLow: "difference_low",
  differenceHigh: "difference_high",
};

/** The figures under the names that events of jobs give them. */
export function eventFigures({ score }: TaskKind, figures: Figures): Record<string, number> {
  const { baseline, event, figure } = score;
  const own = { [figure]: `dev_${event}`, [baseline]: `baseline_dev_${event}` };
  const names: Readonly<Record<string, string>> = { ...eventNames, ...own };
  return Object.fromEntries(
    Object.entries(figures).flatMap(([name, value]) => {
      const told = names[name];
      return told === undefined ? [] : [[told, value]];
    }),
  );
}
