/**
 * Traces as CSV, in three shapes that the header tells apart: `seconds,model` and the like, one
 * request a line; `TIMESTAMP,…` of the public Azure traces, without models; and counts by minute,
 * one function a line. Cells are plain: nothing is quoted.
 */
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

/** One function or model of a trace. */
export interface Source {
  /** Undefined where the trace does not name whom it asks for. */
  readonly name: string | undefined;
  /** Line of its first request, from 1. */
  readonly line: number;
  /** Ascending; seconds from the first request of all. Or requests by minute. */
  readonly values: readonly number[];
}

export interface Trace {
  readonly kind: "times" | "counts";
  readonly sources: readonly Source[];
}

interface Line {
  readonly number: number;
  readonly cells: readonly string[];
}

const timeNames = ["seconds", "timestamp", "time"];
const modelNames = ["model", "function", "name", "hashfunction"];
const minutePattern = /^(?:minute_)?\d+$/;

/** INVALID_ARGUMENT names the file, `what`, and the line; TOO_LARGE if it has too many requests. */
export function parseTrace(text: string, what: string): Trace {
  const lines = linesOf(text);
  const header = lines.next().value;
  const names = header?.cells.map((name) => name.toLowerCase()) ?? [];
  const column = (candidates: readonly string[]): number =>
    names.findIndex((name) => candidates.includes(name));
  const columns = { time: column(timeNames), model: column(modelNames), count: names.length };
  const minutes = [...names.keys()].filter((index) => minutePattern.test(names[index] ?? ""));
  const trace =
    columns.time >= 0
      ? readTimes(lines, columns, what)
      : minutes.length > 0 && columns.model >= 0
        ? readCounts(lines, { ...columns, minutes }, what)
        : undefined;
  if (trace === undefined) throw faultOf(what, 1, 'expected a header such as "seconds,model"');
  if (trace.sources.length === 0) throw faultOf(what, 2, "expected a request");
  return trace;
}

interface Columns {
  readonly time: number;
  /** -1 if there is none. */
  readonly model: number;
  readonly count: number;
}

function readTimes(lines: Iterable<Line>, columns: Columns, what: string): Trace {
  const found = new Map<string | undefined, { line: number; values: number[] }>();
  let [first, count] = [Infinity, 0];
  for (const { number, cells } of lines) {
    checkCells(cells, columns, { what, number });
    const seconds = secondsOf(cells[columns.time] ?? "");
    if (!(seconds >= 0 && seconds < Infinity))
      throw faultOf(what, number, `expected seconds or a time, got "${cells[columns.time]}"`);
    count += 1;
    checkCount(count, what);
    const name = columns.model < 0 ? undefined : cells[columns.model];
    const source = found.get(name);
    if (source === undefined) found.set(name, { line: number, values: [seconds] });
    else source.values.push(seconds);
    first = Math.min(first, seconds);
  }
  const sources = [...found].map(([name, { line, values }]) => ({
    name,
    line,
    values: values.map((seconds) => seconds - first).toSorted((a, b) => a - b),
  }));
  return { kind: "times", sources };
}

function readCounts(
  lines: Iterable<Line>,
  columns: Columns & { readonly minutes: readonly number[] },
  what: string,
): Trace {
  const sources: Source[] = [];
  let sum = 0;
  for (const { number, cells } of lines) {
    checkCells(cells, columns, { what, number });
    const values = columns.minutes.map((index) => {
      const value = cells[index] === "" ? NaN : Number(cells[index]);
      if (Number.isInteger(value) && value >= 0) return value;
      throw faultOf(what, number, `expected a count of requests, got "${cells[index]}"`);
    });
    sum += values.reduce((a, b) => a + b, 0);
    checkCount(sum, what);
    sources.push({ name: cells[columns.model], line: number, values });
  }
  return { kind: "counts", sources };
}

/** NaN if it is neither a number nor a time. */
function secondsOf(text: string): number {
  if (/^[-+.\deE]+$/.test(text)) return Number(text);
  const [, day, time, fraction = "", zone = "Z"] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d+)?(Z|[-+]\d\d:?\d\d)?$/.exec(text) ?? [];
  return Date.parse(`${day}T${time}${zone}`) / 1000 + Number(`0${fraction}`);
}

function checkCells(
  cells: readonly string[],
  { count }: Columns,
  { what, number }: { readonly what: string; readonly number: number },
): void {
  if (cells.length !== count)
    throw faultOf(what, number, `expected ${count} cells as in the header, got ${cells.length}`);
}

function checkCount(count: number, what: string): void {
  const { planRequestCountMax } = limits;
  if (count <= planRequestCountMax) return;
  const state = `it has more than ${planRequestCountMax} requests`;
  throw new StrataError("TOO_LARGE", `Cannot read "${what}": ${state}`);
}

export function faultOf(what: string, line: number, state: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot read "${what}": line ${line}: ${state}`);
}

/** Those that are not blank. */
function* linesOf(text: string): Generator<Line, undefined> {
  for (let [start, number] = [0, 1]; start < text.length; number++) {
    const feed = text.indexOf("\n", start);
    const end = feed < 0 ? text.length : feed;
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line !== "") yield { number, cells: line.split(",").map((cell) => cell.trim()) };
  }
  return undefined;
}
