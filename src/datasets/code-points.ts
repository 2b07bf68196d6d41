/**
 * Places in a text, counted in Unicode code points. Python counts so, and with it the pipelines
 * and servers whose spans users have; JavaScript's strings count UTF-16 units, two for a character
 * above U+FFFF.
 */

const astral = /[\ud800-\udbff][\udc00-\udfff]/;
/** Characters of words that white space separates; each of Han is a word to most tokenizers. */
const wordCharacter = /^(?!\p{Script=Han})[\p{L}\p{N}\p{M}]$/u;

export class CodePoints {
  readonly #text: string;
  /** UTF-16 index of each code point; undefined where both counts are the same. */
  readonly #units: Uint32Array | undefined;

  constructor(text: string) {
    this.#text = text;
    if (!astral.test(text)) return;
    const units = new Uint32Array(text.length);
    let count = 0;
    for (let unit = 0; unit < text.length; unit += widthAt(text, unit)) units[count++] = unit;
    this.#units = units.subarray(0, count);
  }

  get count(): number {
    return this.#units?.length ?? this.#text.length;
  }

  /** The text from one place to before another. */
  slice(start: number, end: number): string {
    return this.#text.slice(this.#unitOf(start), this.#unitOf(end));
  }

  /** The place of a UTF-16 index; undefined within a pair, and behind the text. */
  placeOf(unit: number): number | undefined {
    if (unit >= this.#text.length) return unit === this.#text.length ? this.count : undefined;
    if (this.#units === undefined) return unit;
    let [low, high] = [0, this.#units.length];
    while (low + 1 < high) {
      const middle = (low + high) >>> 1;
      if ((this.#units[middle] ?? 0) <= unit) low = middle;
      else high = middle;
    }
    return this.#units[low] === unit ? low : undefined;
  }

  /**
   * The place at or behind `end` that cuts off no mark from the character that it stands on, such
   * as an accent, a vowel sign, or the form of an emoji.
   */
  afterMarks(end: number): number {
    let place = end;
    while (place < this.count && /^\p{M}$/u.test(this.slice(place, place + 1))) place += 1;
    return place;
  }

  /** Whether both what stands before the place and what stands behind it are parts of one word. */
  isWithinWord(place: number): boolean {
    return this.#isOfWord(place - 1) && this.#isOfWord(place);
  }

  /** Whether a word begins at `start`, and one ends before `end`. */
  holdsWords(start: number, end: number): boolean {
    const isEdge = !this.isWithinWord(start) && !this.isWithinWord(end);
    return isEdge && this.#isOfWord(start) && this.#isOfWord(end - 1);
  }

  #isOfWord(place: number): boolean {
    return place >= 0 && wordCharacter.test(this.slice(place, place + 1));
  }

  #unitOf(place: number): number {
    if (this.#units === undefined) return place;
    return this.#units[place] ?? this.#text.length;
  }
}

function widthAt(text: string, unit: number): number {
  return (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
}
