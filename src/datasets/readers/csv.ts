/**
 * CSV with a header, by RFC 4180 and by what spreadsheets and databases make of it. A record that
 * breaks the rules costs its first line only: reading goes on with the next line, so that every bad
 * line is found.
 */
import { limits } from "../../foundation/limits.ts";
import { textValueFault } from "../datasets.ts";
import { type CsvHeader, findHeader, repeatedHeader, separatorOf } from "./csv-header.ts";
import { CsvRecord } from "./csv-record.ts";
import { entitiesInCell } from "./entity-fields.ts";
import { isBlank, Lines, withoutMark } from "./lines.ts";
import {
  type Notes,
  pause,
  type RawLabelled,
  type RawMarked,
  type RawRow,
  type RowReader,
  unmarkedRemark,
} from "./rows.ts";
import { type ReadOptions, refuse } from "./source.ts";

const { trainingLineCharactersMax: lengthMax, trainingRecordLineCountMax: lineCountMax } = limits;
/** Lines of a record that are looked at for what a quote may have swallowed. */
const inspectedLineCountMax = 1_000;
/** Lines of no row that are read again before others may come to run. */
const pauseLineCount = 4096;

const longFault = `record is longer than ${lengthMax} characters`;
const openFault = "a quote that opens here is not closed";
const strayFault = "a quoted cell goes on after its quote; a quote inside of it must be doubled";

const remarks = {
  header: "the header stands here again; it is skipped, as where files were joined",
  literal: "a quote that opens here is not closed; it is taken as a part of the text",
  backslash: 'a quote is written \\" instead of ""; it is read as a quote',
};

interface NumberedLine {
  readonly text: string;
  readonly number: number;
}

export interface CsvReaderOptions {
  readonly isLabelled: boolean;
  readonly notes: Notes;
  readonly source: ReadOptions;
}

export class CsvReader implements RowReader {
  readonly #options: CsvReaderOptions;
  readonly #lines = new Lines(() => this.#open === undefined);
  #separator: string | undefined;
  #header: CsvHeader | undefined;
  /** The record whose quoted cell is not closed yet. */
  #open: CsvRecord | undefined;
  /** Lines of broken records behind their first: to be read again, the last of these first. */
  readonly #again: { readonly lines: readonly string[]; number: number; next: number }[] = [];

  constructor(options: CsvReaderOptions) {
    this.#options = options;
  }

  get line(): number {
    return this.#lines.number + 1;
  }

  get column(): number {
    return this.#lines.openLength + 1;
  }

  *read(piece: string): Generator<RawRow | typeof pause> {
    for (const text of this.#lines.read(piece)) {
      const row = this.#take({ text, number: this.#lines.number });
      if (row !== undefined) yield row;
      if (this.#again.length > 0) yield* this.#readAgain();
    }
  }

  *end(): Generator<RawRow | typeof pause> {
    for (const text of this.#lines.end()) {
      const row = this.#take({ text, number: this.#lines.number });
      if (row !== undefined) yield row;
      yield* this.#readAgain();
    }
    while (this.#open !== undefined) {
      const record = this.#open;
      this.#open = undefined;
      yield this.#mended(record, openFault);
      yield* this.#readAgain();
    }
  }

  *#readAgain(): Generator<RawRow | typeof pause> {
    let idleCount = 0;
    for (let last = this.#again.at(-1); last !== undefined; last = this.#again.at(-1)) {
      const text = last.lines[last.next];
      if (text === undefined) {
        this.#again.pop();
        continue;
      }
      const row = this.#take({ text, number: last.number + last.next });
      last.next += 1;
      if (row !== undefined) yield row;
      else if (++idleCount % pauseLineCount === 0) yield pause;
    }
  }

  /** The row that ends with this line, if one does. */
  #take(line: NumberedLine): RawRow | undefined {
    if (this.#open !== undefined) return this.#goOn(this.#open, line.text);
    const { number } = line;
    const text = withoutMark(line.text, number, this.#options.notes);
    if (text.length > lengthMax) return { line: number, fault: longFault };
    if (isBlank(text)) return undefined;
    if (this.#header === undefined) return this.#readHeader({ text, number });
    const record = new CsvRecord(number);
    const state = record.read(text, { delimiter: this.#header.delimiter, quoting: "doubled" });
    if (state === "stray") return this.#mended(record, strayFault);
    if (state === "done") return this.#rowOf(record, this.#header);
    this.#open = record;
    return undefined;
  }

  #readHeader({ text, number }: NumberedLine): undefined {
    if (this.#separator === undefined) {
      this.#separator = separatorOf(text);
      if (this.#separator !== undefined) return;
    }
    const { isLabelled, source } = this.#options;
    const found = findHeader(text, { isLabelled, separator: this.#separator });
    if (typeof found === "string") refuse(source, `line ${number} ${found}`);
    this.#header = found;
  }

  /** A line of a record whose quoted cell is open. */
  #goOn(record: CsvRecord, text: string): RawRow | undefined {
    const header = this.#header;
    if (header === undefined) return undefined;
    const state = record.read(text, { delimiter: header.delimiter, quoting: "doubled" });
    const isShort = record.length <= lengthMax && record.lines.length <= lineCountMax;
    if (state === "open" && isShort) return undefined;
    this.#open = undefined;
    if (state === "open") return this.#mended(record, openFault);
    if (state === "stray") return this.#mended(record, strayFault);
    // Where tabs separate, a cell that holds a tab and a line end was not meant to be quoted.
    const hasTab = (cell: string): boolean => cell.includes("\t") && cell.includes("\n");
    if (header.delimiter === "\t" && record.cells.some(hasTab))
      return this.#mended(record, openFault);
    return this.#rowOf(record, header);
  }

  #rowOf(record: CsvRecord, header: CsvHeader): RawRow | undefined {
    const { line, cells } = record;
    const fault = countFault(cells, header);
    if (fault !== undefined) return this.#mended(record, fault);
    const again = repeatedHeader(cells, header);
    if (again !== undefined) return this.#skipHeader(line, again, header);
    const row = this.#rowFrom(line, cells, header);
    if ("fault" in row || record.lines.length === 1) return row;
    const labels = swallowedLabels(record, header);
    if (labels.length === 0) return row;
    return { ...row, swallowed: { labels, lastLine: line + record.lines.length - 1 } };
  }

  #skipHeader(line: number, again: CsvHeader, { text, label }: CsvHeader): undefined {
    const { notes, source } = this.#options;
    if (again.text !== text || again.label !== label)
      refuse(source, `line ${line} is a header with other columns; upload the files one by one`);
    notes.add(line, remarks.header);
  }

  /** The first line of a broken record, read in another way if that makes sense of it. */
  #mended(record: CsvRecord, fault: string): RawRow {
    const { line, lines } = record;
    const [first = ""] = lines;
    if (lines.length > 1) this.#again.push({ lines, number: line, next: 1 });
    const { delimiter } = this.#header ?? {};
    if (delimiter === "\t")
      return this.#readAs("none", { text: first, number: line }) ?? { line, fault };
    if (first.includes('\\"'))
      return this.#readAs("backslash", { text: first, number: line }) ?? { line, fault };
    return { line, fault };
  }

  #readAs(quoting: "none" | "backslash", { text, number }: NumberedLine): RawRow | undefined {
    const header = this.#header;
    const record = new CsvRecord(number);
    if (header === undefined) return undefined;
    if (record.read(text, { delimiter: header.delimiter, quoting }) !== "done") return undefined;
    const { cells } = record;
    if (countFault(cells, header) !== undefined) return undefined;
    this.#options.notes.add(number, quoting === "none" ? remarks.literal : remarks.backslash);
    return this.#rowFrom(number, cells, header);
  }

  #rowFrom(line: number, cells: readonly string[], header: CsvHeader): RawRow {
    const [text, label] = [cells[header.text], cells[header.label]];
    const labelled: RawLabelled = { text, label };
    if (label === undefined || !this.#options.isLabelled) return { ...labelled, line };
    if (label.trim() === "" && textValueFault(text) === undefined)
      return { line, fault: "label is empty", bare: { text, remarks: [unmarkedRemark] } };
    const entities = entitiesInCell(label);
    const marked: RawMarked = { text, entities };
    return { ...(entities === undefined ? labelled : marked), line };
  }
}

function countFault(cells: readonly string[], header: CsvHeader): string | undefined {
  const { names, cellCountMin } = header;
  const surplus = cells.slice(names.length);
  if (cells.length >= cellCountMin && surplus.every((cell) => cell.trim() === "")) return undefined;
  const fault = `record has ${cells.length} columns, the header has ${names.length}`;
  return surplus.length === 0 ? fault : `${fault}; a cell that holds the separator must be quoted`;
}

/**
 * The labels of lines within the record that would be records of their own: an open quote has
 * swallowed a line end if they are labels of this file. The line on which a quoted cell opens has
 * its label before it, and so does the line on which it closes have it behind.
 */
function swallowedLabels(record: CsvRecord, header: CsvHeader): readonly string[] {
  const { delimiter, label, names } = header;
  const { lines, firstOpen, lastOpen } = record;
  if (label === -1) return [];
  const from = label < firstOpen ? 1 : 0;
  const to = label > lastOpen ? lines.length - 1 : lines.length;
  return lines.slice(from, Math.min(to, inspectedLineCountMax)).flatMap((line) => {
    const cells = line.split(delimiter);
    return cells.length === names.length
      ? [(cells[label] ?? "").replaceAll('"', "").trim().normalize("NFC")]
      : [];
  });
}
