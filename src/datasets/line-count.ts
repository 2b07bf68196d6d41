/** Places of rows in a file, and counts of them, for messages. */

/** Lines that a sentence names. */
const shownLineCountMax = 5;

/** `line` is where a row begins, counted from 1 as an editor shows it. */
export interface RowPlace {
  readonly line: number;
  /** Its number among the items of the array, from 1, where the file is one. */
  readonly item?: number;
}

export function placeOf({ line, item }: RowPlace): RowPlace {
  return item === undefined ? { line } : { line, item };
}

/** "line 4", or "lines 4, 9 (items 2, 3 of the array)". */
export function shownPlaces(places: readonly RowPlace[], others = ""): string {
  const lines = [...new Set(places.map(({ line }) => line))];
  const items = places.flatMap(({ item }) => (item === undefined ? [] : [item]));
  const shown = `${lines.length === 1 ? "line" : "lines"} ${lines.join(", ")}`;
  if (items.length === 0) return `${shown}${others}`;
  const word = items.length === 1 ? "item" : "items";
  return `${shown} (${word} ${items.join(", ")} of the array${others})`;
}

export class LineCount {
  readonly #first: RowPlace[] = [];
  count = 0;

  add(place: RowPlace): void {
    this.count += 1;
    const last = this.#first.at(-1);
    const isKnown = last?.line === place.line && last.item === place.item;
    if (!isKnown && this.#first.length <= shownLineCountMax) this.#first.push(placeOf(place));
  }

  /** "3 entities", with the word for one or for several. */
  of(one: string, several: string): string {
    return `${this.count} ${this.count === 1 ? one : several}`;
  }

  /** "line 4", or "lines 4, 9 and others". */
  get lines(): string {
    const others = this.#first.length > shownLineCountMax ? " and others" : "";
    return shownPlaces(this.#first.slice(0, shownLineCountMax), others);
  }
}
