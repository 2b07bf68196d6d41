/** What the entities of a file may not be meant to be: seen over all of its rows. */
import { CodePoints } from "./code-points.ts";
import { CountedUnits } from "./counted-units.ts";
import type { MarkedText } from "./datasets.ts";
import type { FormReview, ReadRow } from "./example-form.ts";
import { LineCount } from "./line-count.ts";
import { repeatsText } from "./readers/entity-fields.ts";
import { isArray } from "./readers/fields.ts";
import type { RawMarked } from "./readers/rows.ts";
import { TagUse } from "./tags.ts";

/** Entities from which ends before a word's last character are no accident, if they are most. */
const earlyEndCountMin = 3;

export class EntityReview implements FormReview<RawMarked, MarkedText> {
  readonly #tagUse = new TagUse();
  /** Entities that begin or end within a word. */
  readonly #cut = new LineCount();
  /** Those that lack the last character of a word, and nothing else. */
  readonly #early = new LineCount();
  /** Those that begin or end with white space. */
  readonly #spaced = new LineCount();
  readonly #countedUnits = new CountedUnits();
  #placedCount = 0;

  add({ row, example, ...place }: ReadRow<RawMarked, MarkedText>): void {
    if (row.tags !== undefined) return this.#tagUse.add(row.tags);
    if (example.entities.length === 0) return;
    const places = new CodePoints(example.text);
    const isProven = isArray(row.entities) && row.entities.every(repeatsText);
    for (const entity of example.entities) {
      const { start, end } = entity;
      this.#placedCount += 1;
      this.#countedUnits.add(places, entity, { place, isProven });
      const [cutsStart, cutsEnd] = [places.isWithinWord(start), places.isWithinWord(end)];
      if (cutsStart || cutsEnd) this.#cut.add(place);
      if (!cutsStart && cutsEnd && !places.isWithinWord(end + 1)) this.#early.add(place);
      const own = places.slice(start, end);
      if (own.trim() !== own) this.#spaced.add(place);
    }
  }

  addFault(reason: string): void {
    this.#countedUnits.addFault(reason);
  }

  refusal(): string | undefined {
    return this.#countedUnits.refusal();
  }

  warnings(): readonly string[] {
    const [cut, early, spaced] = [this.#cut, this.#early, this.#spaced];
    const warnings = [...this.#countedUnits.warnings(), ...this.#tagUse.warnings()];
    const isHabit = early.count >= earlyEndCountMin && 2 * early.count > this.#placedCount;
    if (isHabit)
      warnings.push(
        `${early.count} of ${this.#placedCount} entities lack the last character of a word ` +
          `(${early.lines}): each end seems to point at the last character, but ends are ` +
          "exclusive: add 1 to each",
      );
    else if (cut.count > 0)
      warnings.push(
        `${cut.of("entity begins or ends", "entities begin or end")} within a word ` +
          `(${cut.lines}): the words that they touch are learned as a whole`,
      );
    if (spaced.count > 0)
      warnings.push(
        `${spaced.of("entity begins or ends", "entities begin or end")} with white space ` +
          `(${spaced.lines}), which is learned as no part of them`,
      );
    return warnings;
  }
}
