/** The main figure of a version, whatever its task calls it. */
import type { TaskKind } from "./tasks.ts";

export interface Figure {
  /** How people call the score. */
  readonly name: string;
  /** The score of the held-out texts, in [0, 1]. */
  readonly value: number;
  /** The interval at 95 %; undefined for a version from before it was told. */
  readonly low: number | undefined;
  readonly high: number | undefined;
  /** Held-out texts; undefined for a version from before they were told. */
  readonly count: number | undefined;
}

/** Undefined where nothing was held out. */
export function figureOf(
  { score: { name, figure } }: TaskKind,
  metrics: Readonly<Record<string, number>>,
): Figure | undefined {
  const value = metrics[figure];
  if (value === undefined) return undefined;
  const [low, high] = [metrics[`${figure}Low`], metrics[`${figure}High`]];
  return { name, value, low, high, count: metrics["devCount"] };
}
