/**
 * CSV with a header, by RFC 4180. A record that breaks the rules costs its first line only: reading
 * goes on with the next line, so that every bad line is found. No character is looked at more than
 * a few times, whatever the input. Windows line ends are read as "\n", inside of quotes too.
 */
import { constants, isUtf8 } from "node:buffer";
import { limits } from "../foundation/limits.ts";
import { pause, pauseBytes, type RawExample, type RawLine } from "./raw-line.ts";

const lineFeed = 0x0a;
const labelNames = ["label", "category", "class"];
/** In UTF-16 units. */
const recordLengthMax = limits.trainingLineBytesMax;
const longFault = `record is longer than ${recordLengthMax} characters`;
const openFault = "a quote that opens here is not closed";
const strayFault = "a quoted cell goes on after its quote; a quote inside of it must be doubled";
const headerFault = `header does not name "text" and one of "${labelNames.join('", "')}"`;

/** Each record that is not blank, in order, with the line on which it starts. */
export function* readCsv(bytes: Uint8Array): Generator<RawLine | typeof pause> {
  const { MAX_STRING_LENGTH: bytesMax } = constants;
  if (bytes.length > bytesMax) {
    yield { line: 1, fault: `file has ${bytes.length} bytes, the limit for CSV is ${bytesMax}` };
    return;
  }
  const decoded = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  const source = decoded.replaceAll("\r\n", "\n");
  const columns = findColumns(source);
  if (columns === undefined) {
    yield { line: 1, fault: headerFault };
    return;
  }
  const invalid = isUtf8(bytes) ? [] : invalidLines(bytes);
  let invalidIndex = 0;
  let pauseAt = pauseBytes;
  const records = new Records(source, columns.delimiter);
  records.nextFilled();
  for (let record = records.next(); record !== undefined; record = records.next()) {
    const { line, nextLine, end } = record;
    if (end >= pauseAt) {
      yield pause;
      pauseAt = end + pauseBytes;
    }
    if (isBlank(record)) continue;
    while ((invalid[invalidIndex] ?? line) < line) invalidIndex += 1;
    const isInvalid = (invalid[invalidIndex] ?? nextLine) < nextLine;
    if (isInvalid) yield { line, fault: "line is not valid UTF-8" };
    else yield { line, ...toExample(record.cells, columns) };
  }
}

interface Columns {
  readonly delimiter: string;
  readonly count: number;
  readonly text: number;
  readonly label: number;
}

/** The columns that the header names, by the first separator that makes sense of it. */
function findColumns(source: string): Columns | undefined {
  for (const delimiter of [",", ";", "\t"]) {
    const cells = new Records(source, delimiter).nextFilled()?.cells;
    if (cells === undefined || typeof cells === "string") continue;
    const names = cells.map((name) => name.trim().toLowerCase());
    const text = names.indexOf("text");
    const label = names.findIndex((name) => labelNames.includes(name));
    if (text !== -1 && label !== -1) return { delimiter, count: names.length, text, label };
  }
  return undefined;
}

function toExample(cells: CsvRecord["cells"], { count, text, label }: Columns): RawExample {
  if (typeof cells === "string") return { fault: cells };
  if (cells.length !== count)
    return { fault: `record has ${cells.length} columns, the header has ${count}` };
  return { text: cells[text], label: cells[label] };
}

interface CsvRecord {
  readonly line: number;
  /** The line on which the next record starts. */
  readonly nextLine: number;
  /** Where the next record starts, in UTF-16 units. */
  readonly end: number;
  /** A string says what is wrong. */
  readonly cells: readonly string[] | string;
}

interface Cell {
  readonly value: string;
  /** Where the cell ends: at a separator, a line end, or the end of all. */
  readonly end: number;
}

function isBlank({ cells }: CsvRecord): boolean {
  return cells.length === 1 && cells[0]?.trim() === "";
}

class Records {
  readonly #source: string;
  readonly #delimiter: string;
  /** Where the next record starts, and on which line. */
  #start = 0;
  #line = 1;
  /** The stretch of a line, up to its end, that was searched last. */
  #searched = { from: 0, end: -1 };

  constructor(source: string, delimiter: string) {
    this.#source = source;
    this.#delimiter = delimiter;
  }

  /** The next record that is not blank. */
  nextFilled(): CsvRecord | undefined {
    for (;;) {
      const record = this.next();
      if (record === undefined || !isBlank(record)) return record;
    }
  }

  next(): CsvRecord | undefined {
    if (this.#start >= this.#source.length) return undefined;
    const line = this.#line;
    const cells = this.#read();
    return { line, nextLine: this.#line, end: this.#start, cells };
  }

  #read(): CsvRecord["cells"] {
    const cells: string[] = [];
    for (let at = this.#start; ;) {
      const cell = this.#source[at] === '"' ? this.#quoted(at) : this.#bare(at);
      if (typeof cell === "string") {
        this.#advance(this.#lineEnd(this.#start));
        return cell;
      }
      cells.push(cell.value);
      at = cell.end + 1;
      if (this.#source[cell.end] === this.#delimiter) continue;
      this.#advance(cell.end);
      return cells;
    }
  }

  /** The cell, or what is wrong with it. */
  #bare(start: number): Cell | string {
    if (this.#lineEnd(start) - this.#start > recordLengthMax) return longFault;
    const rest = this.#source.slice(start, this.#lineEnd(start));
    const length = rest.indexOf(this.#delimiter);
    const value = length === -1 ? rest : rest.slice(0, length);
    return { value, end: start + value.length };
  }

  #quoted(start: number): Cell | string {
    for (let quote = start + 1; ; quote += 2) {
      quote = this.#source.indexOf('"', quote);
      if (quote === -1 || quote - this.#start > recordLengthMax) return openFault;
      const after = this.#source[quote + 1];
      if (after === '"') continue;
      if (after !== undefined && after !== "\n" && after !== this.#delimiter) return strayFault;
      const value = this.#source.slice(start + 1, quote).replaceAll('""', '"');
      return { value, end: quote + 1 };
    }
  }

  /** Searches once per line, not once per cell: a line of many cells stays linear. */
  #lineEnd(position: number): number {
    const { from, end } = this.#searched;
    if (position >= from && position <= end) return end;
    const found = this.#source.indexOf("\n", position);
    this.#searched = { from: position, end: found === -1 ? this.#source.length : found };
    return this.#searched.end;
  }

  /** Moves behind `end`, where a line ends, and counts the lines on the way. */
  #advance(end: number): void {
    for (let at = this.#start - 1; at < end; this.#line++) {
      const found = this.#source.indexOf("\n", at + 1);
      at = found === -1 ? end : found;
    }
    this.#start = end + 1;
  }
}

function invalidLines(bytes: Uint8Array): readonly number[] {
  const invalid: number[] = [];
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const found = bytes.indexOf(lineFeed, start);
    const end = found === -1 ? bytes.length : found;
    if (!isUtf8(bytes.subarray(start, end))) invalid.push(line);
    start = end + 1;
  }
  return invalid;
}
