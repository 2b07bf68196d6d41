/** One CSV record, cell by cell, over as many lines as its quotes hold together. */

/**
 * How a quote within a quoted cell is written. `none`: quotes are text, as in many files that are
 * separated by tabs.
 */
export type Quoting = "doubled" | "backslash" | "none";

export interface CsvRule {
  readonly delimiter: string;
  readonly quoting: Quoting;
}

export class CsvRecord {
  readonly line: number;
  readonly lines: string[] = [];
  readonly cells: string[] = [];
  /** The length of the cells. */
  length = 0;
  /** The columns of the cell that ran over the first line end, and of the last that did so. */
  firstOpen = -1;
  lastOpen = -1;
  /** What is read of a quoted cell that is not closed. */
  #open: string[] | undefined;

  constructor(line: number) {
    this.line = line;
  }

  /**
   * Reads a line. `open`: a quoted cell goes on in the next line. `stray`: a quoted cell goes on
   * behind its quote.
   */
  read(text: string, rule: CsvRule): "done" | "open" | "stray" {
    this.lines.push(text);
    this.length += text.length + 1;
    for (let at = 0; ; at += 1) {
      if (this.#open === undefined) at = this.#begin(text, at, rule);
      if (this.#open !== undefined) {
        const close = closeOf(text, at, rule.quoting);
        this.#open.push(text.slice(at, close === -1 ? text.length : close));
        if (close === -1) {
          if (this.firstOpen === -1) this.firstOpen = this.cells.length;
          this.lastOpen = this.cells.length;
          return "open";
        }
        at = skipSpaces(text, close + 1);
        if (at < text.length && text[at] !== rule.delimiter) return "stray";
        this.cells.push(unquoted(this.#open.join("\n"), rule.quoting));
        this.#open = undefined;
      }
      // Here is a delimiter, or the end.
      if (at >= text.length) return "done";
    }
  }

  /** Reads a cell without quotes, or opens one that has them; where to go on. */
  #begin(text: string, at: number, rule: CsvRule): number {
    const { delimiter, quoting } = rule;
    const quote = quoting === "none" ? -1 : quoteAt(text, at, rule);
    if (quote !== -1) {
      this.#open = [];
      return quote + 1;
    }
    const found = text.indexOf(delimiter, at);
    const end = found === -1 ? text.length : found;
    this.cells.push(text.slice(at, end));
    return end;
  }
}

/**
 * The place of the quote that opens the cell at `at`, or -1. Spaces may come before it if the cell
 * is then closed on the same line: else they, and the quote, are text.
 */
function quoteAt(text: string, at: number, { delimiter, quoting }: CsvRule): number {
  const quote = skipSpaces(text, at);
  if (text[quote] !== '"') return -1;
  if (quote === at) return quote;
  const close = closeOf(text, quote + 1, quoting);
  if (close === -1) return -1;
  const end = skipSpaces(text, close + 1);
  return end >= text.length || text[end] === delimiter ? quote : -1;
}

/** The place, from `at` on, of the quote that closes a cell, or -1 if it is not on this line. */
function closeOf(text: string, at: number, quoting: Quoting): number {
  for (let from = at; ;) {
    const quote = text.indexOf('"', from);
    if (quote === -1) return -1;
    if (quoting === "backslash" && text[quote - 1] === "\\") from = quote + 1;
    else if (text[quote + 1] === '"') from = quote + 2;
    else return quote;
  }
}

function unquoted(value: string, quoting: Quoting): string {
  const doubled = value.replaceAll('""', '"');
  return quoting === "backslash" ? doubled.replaceAll('\\"', '"') : doubled;
}

function skipSpaces(text: string, at: number): number {
  let end = at;
  while (text[end] === " ") end += 1;
  return end;
}
