/** How often something is in a file, and where first. */

/** Lines that a sentence names. */
const shownLineCountMax = 5;

export class LineCount {
  readonly #first: number[] = [];
  count = 0;

  add(line: number): void {
    this.count += 1;
    if (this.#first.at(-1) === line || this.#first.length > shownLineCountMax) return;
    this.#first.push(line);
  }

  /** "3 entities", with the word for one or for several. */
  of(one: string, several: string): string {
    return `${this.count} ${this.count === 1 ? one : several}`;
  }

  /** "line 4", or "lines 4, 9 and others". */
  get lines(): string {
    const shown = this.#first.slice(0, shownLineCountMax).join(", ");
    const rest = this.#first.length > shownLineCountMax ? " and others" : "";
    return `${this.#first.length === 1 ? "line" : "lines"} ${shown}${rest}`;
  }
}
