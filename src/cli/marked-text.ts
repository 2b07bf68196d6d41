/** A text with the entities that were found in it, for terminals. */
import type { TokenClassifications } from "../contract/inference.ts";
import { visible } from "../foundation/visible.ts";

type Entity = TokenClassifications["data"][number]["entities"][number];

/**
 * The text with each entity in brackets, its label and score behind it: `in [New York](city 0.98)`.
 * Their places count code points and do not overlap; `paint` is given each label.
 */
export function markedText(
  text: string,
  entities: readonly Entity[],
  paint: (label: string) => string,
): string {
  const characters = Array.from(text);
  const parts: string[] = [];
  let last = 0;
  for (const { start, end, word, entity_group: label, score } of entities) {
    parts.push(characters.slice(last, start).join(""));
    parts.push(`[${word}](${paint(visible(label))} ${score.toFixed(2)})`);
    last = end;
  }
  parts.push(characters.slice(last).join(""));
  return parts.join("");
}
