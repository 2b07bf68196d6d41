/** Lines of a text that arrives in pieces. */
import { limits } from "../../foundation/limits.ts";
import { markRemark, type Notes, type RawRow, type RowReader } from "./rows.ts";

const lineFeed = 0x0a;

/** A line that is longer than the limit is cut behind it, so that it holds no memory. */
export class Lines {
  #number = 0;
  #parts: string[] = [];
  #length = 0;
  readonly #skipsBlank: () => boolean;

  /** `skipsBlank` says, where an empty line follows, whether it is counted only. */
  constructor(skipsBlank: () => boolean) {
    this.#skipsBlank = skipsBlank;
  }

  /** The number of the line that `read` gave last, counted from 1. */
  get number(): number {
    return this.#number;
  }

  /** The characters of the line that is not complete yet. */
  get openLength(): number {
    return this.#length;
  }

  *read(piece: string): Generator<string> {
    let start = 0;
    for (let end = piece.indexOf("\n"); end !== -1; end = piece.indexOf("\n", start)) {
      if (end === start && this.#length === 0 && this.#skipsBlank()) {
        start = this.#skipBlank(piece, start);
        continue;
      }
      this.#number += 1;
      if (this.#length === 0) yield piece.slice(start, end);
      else yield this.#complete(piece.slice(start, end));
      start = end + 1;
    }
    if (start < piece.length) this.#append(piece.slice(start));
  }

  /** The last line, if no line end follows it. Its Ctrl-Z is DOS's mark of the end of a file. */
  *end(): Generator<string> {
    if (this.#length === 0) return;
    this.#number += 1;
    yield this.#complete("").replace(/\x1a$/, "");
  }

  #skipBlank(piece: string, start: number): number {
    let at = start;
    while (piece.charCodeAt(at) === lineFeed) at += 1;
    this.#number += at - start;
    return at;
  }

  #complete(rest: string): string {
    this.#append(rest);
    const line = this.#parts.join("");
    this.#parts = [];
    this.#length = 0;
    return line;
  }

  #append(part: string): void {
    if (this.#length <= limits.trainingLineCharactersMax) this.#parts.push(part);
    this.#length += part.length;
  }
}

/** Whether a line holds nothing, or only DOS's mark of the end of a file. */
export function isBlank(line: string): boolean {
  return line.trim() === "" || line === "\x1a";
}

/** The line without the byte order mark that it has where files were joined, which is told. */
export function withoutMark(line: string, number: number, notes: Notes): string {
  if (!line.startsWith("\ufeff")) return line;
  notes.add(number, markRemark);
  return line.slice(1);
}

/** Texts, one a line; there are no labels. */
export class LineReader implements RowReader {
  readonly #notes: Notes;
  readonly #lines = new Lines(() => true);

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  get line(): number {
    return this.#lines.number + 1;
  }

  get column(): number {
    return this.#lines.openLength + 1;
  }

  *read(piece: string): Generator<RawRow> {
    yield* this.#rows(this.#lines.read(piece));
  }

  *end(): Generator<RawRow> {
    yield* this.#rows(this.#lines.end());
  }

  *#rows(lines: Iterable<string>): Generator<RawRow> {
    for (const line of lines) {
      const { number } = this.#lines;
      const text = withoutMark(line, number, this.#notes);
      if (!isBlank(text)) yield { line: number, text };
    }
  }
}
