/** A text with the entities that were found in it, for terminals. */
import type { TextPart } from "../client/text-parts.ts";
import { visible } from "../foundation/visible.ts";

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
