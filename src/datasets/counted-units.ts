/**
 * Whether a file counts places in UTF-16 code units, as JavaScript does, where code points are
 * meant: both differ behind a character above U+FFFF, such as an emoji.
 */
import type { CodePoints } from "./code-points.ts";
import type { Entity } from "./datasets.ts";
import { LineCount, type RowPlace } from "./line-count.ts";

/** It ends the fault of an entity that is right if its places count UTF-16 code units. */
export const unitsCure =
  "its places count UTF-16 code units, of which an emoji has two: count Unicode code points, " +
  "which are [...text.slice(0, place)].length in JavaScript";

export class CountedUnits {
  /** Entities that are read, and make sense if their places count UTF-16 code units only. */
  readonly #units = new LineCount();
  /** Those that make as much sense in both ways. */
  readonly #open = new LineCount();
  #pointCount = 0;
  #faultCount = 0;

  /** An entity that is read; `isProven` where the file repeats its text. */
  add(places: CodePoints, { start, end }: Entity, at: Counted): void {
    const [unitStart, unitEnd] = [places.placeOf(start), places.placeOf(end)];
    if (unitEnd === end) return;
    const isWhole = places.holdsWords(start, end);
    const isWholeInUnits =
      unitStart !== undefined && unitEnd !== undefined && places.holdsWords(unitStart, unitEnd);
    if (at.isProven) this.#pointCount += 1;
    else if (isWholeInUnits && isCut(places, start, end)) this.#units.add(at.place);
    else if (
      isWhole &&
      (unitStart === undefined || unitEnd === undefined || isCut(places, unitStart, unitEnd))
    )
      this.#pointCount += 1;
    else this.#open.add(at.place);
  }

  addFault(reason: string): void {
    if (reason.endsWith(unitsCure)) this.#faultCount += 1;
  }

  /** Why the file cannot be used: what is read of it would be other words than are meant. */
  refusal(): string | undefined {
    const [units, open] = [this.#units, this.#open];
    const count = units.count + this.#faultCount;
    if (count <= this.#pointCount || units.count + open.count === 0) return undefined;
    const { lines } = units.count > 0 ? units : open;
    return (
      `entities behind characters such as emoji (${lines}) are not what they are meant to be: ` +
      `${count} make sense in UTF-16 code units only, ${this.#pointCount} in code points only; ` +
      unitsCure
    );
  }

  warnings(): readonly string[] {
    const open = this.#open;
    if (open.count === 0 || this.#pointCount > 0) return [];
    return [
      `${open.of("entity stands", "entities stand")} behind a character of two UTF-16 code ` +
        `units, such as an emoji (${open.lines}): places are read as Unicode code points, where ` +
        "it counts once; see that the file counts so",
    ];
  }
}

interface Counted {
  readonly place: RowPlace;
  readonly isProven: boolean;
}

/** Whether an entity begins or ends within a word or with white space, which is seldom meant. */
function isCut(places: CodePoints, start: number, end: number): boolean {
  const own = places.slice(start, end);
  return places.isWithinWord(start) || places.isWithinWord(end) || own.trim() !== own;
}
