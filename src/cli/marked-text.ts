/** What was said of a text, for terminals. */
import type { TextAnswer } from "../client/answers.ts";
import type { TextPart } from "../client/text-parts.ts";
import { visible } from "../foundation/visible.ts";

/**
 * The best label of the whole text with its score, where the task has any, and the text, with what
 * was found in it; `paint` is given each label.
 */
export function answerLine(
  { text, scores, parts, isCut }: TextAnswer,
  paint: (label: string) => string,
): string {
  const [best] = scores;
  const whole =
    best === undefined ? "" : `${paint(visible(best.label))}\t${best.score.toFixed(4)}\t`;
  const shown = parts.length === 0 ? text : markedText(parts, paint);
  const rest = isCut ? " (its end was not read: it is too long for the model)" : "";
  return `${whole}${shown}${rest}`;
}

/**
 * The text with each entity in brackets, its label and score behind it: `in [New York](city 0.98)`;
 * `paint` is given each label.
 */
export function markedText(parts: readonly TextPart[], paint: (label: string) => string): string {
  const shown = parts.map(({ text: own, entity }) =>
    entity === undefined
      ? own
      : `[${own}](${paint(visible(entity.entity_group))} ${entity.score.toFixed(2)})`,
  );
  return shown.join("");
}
