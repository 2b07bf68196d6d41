/** A text cut at the entities that were found in it. */
import type { TokenClassifications } from "../contract/inference.ts";

export type FoundEntity = TokenClassifications["data"][number]["entities"][number];

export interface TextPart {
  readonly text: string;
  /** Undefined for what stands between entities. */
  readonly entity: FoundEntity | undefined;
}

/** All of the text in its order; places of entities count code points, and do not overlap. */
export function textParts(text: string, entities: readonly FoundEntity[]): readonly TextPart[] {
  const characters = Array.from(text);
  const parts: TextPart[] = [];
  let last = 0;
  const addPlain = (end: number): void => {
    const plain = characters.slice(last, end).join("");
    if (plain !== "") parts.push({ text: plain, entity: undefined });
  };
  for (const entity of entities) {
    addPlain(entity.start);
    parts.push({ text: entity.word, entity });
    last = entity.end;
  }
  addPlain(characters.length);
  return parts;
}
