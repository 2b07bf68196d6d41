/** The line of a CSV file that names its columns. */
import { roleNames, roleOf, shownNames } from "./columns.ts";
import { CsvRecord } from "./csv-record.ts";

export interface CsvHeader {
  readonly delimiter: string;
  readonly names: readonly string[];
  /** Cells that a record must have: names that are empty at the end need none. */
  readonly cellCountMin: number;
  readonly text: number;
  /** -1 where there is none and none is needed. */
  readonly label: number;
}

/** Columns of a header that a message writes out. */
const advisedNameCountMax = 20;
const entityColumn = /^(?:entities|spans|tags|ner_tags)$/i;
/** Columns of words and of their tags, whether a record is a word or a whole text. */
const [wordColumn, tagColumn] = [/^(?:tokens?|words?)$/i, /^(?:tags?|ner|ner_tags?|labels)$/i];
const tagsFault =
  'names words and their tags, which cannot be given as CSV: use JSON lines, {"tokens": […], ' +
  '"tags": […]}, or CoNLL, a word and its tag a line and a blank line behind each text';
const entitiesFault = "names entities, which cannot be given as CSV: use JSON lines or CoNLL";
const delimiters = [",", ";", "\t", "|"];

/** The separator that a first line such as `sep=;` tells to a spreadsheet. */
export function separatorOf(line: string): string | undefined {
  return /^"?sep=(.)"?$/i.exec(line.trim())?.[1];
}

/**
 * The header, by the first separator under which the line names a column for each role that is
 * needed; or why it is none, in a sentence that goes on after "line 1 ".
 */
export function findHeader(
  line: string,
  options: { readonly isLabelled: boolean; readonly separator: string | undefined },
): CsvHeader | string {
  const { isLabelled, separator } = options;
  const tried = separator === undefined ? delimiters : [separator];
  const found = headerUnder(tried, line, isLabelled);
  const isTagged = tried.some((delimiter) => namesTags(namesIn(line, delimiter)));
  return typeof found === "string" && isLabelled && isTagged ? tagsFault : found;
}

function headerUnder(
  tried: readonly string[],
  line: string,
  isLabelled: boolean,
): CsvHeader | string {
  let half: string | undefined;
  for (const delimiter of tried) {
    const names = namesIn(line, delimiter);
    const texts = columnsOf(names, "text");
    const labels = columnsOf(names, "label");
    if (texts.length > 0 && (labels.length > 0 || !isLabelled))
      return headerOf({ delimiter, names, texts, labels, isLabelled });
    if (names.length > 1 && (texts.length > 0 || labels.length > 0))
      half ??= halfFault(names, texts.length > 0);
  }
  return half ?? noHeader(line, tried, isLabelled);
}

function namesTags(names: readonly string[]): boolean {
  return hasColumn(names, wordColumn) && hasColumn(names, tagColumn);
}

function hasColumn(names: readonly string[], column: RegExp): boolean {
  return names.some((name) => column.test(name.trim()));
}

/** What a header lacks that names a column for one role alone. */
function halfFault(names: readonly string[], hasText: boolean): string {
  if (!hasText) return `names no column for the text: expected one of ${roleNames.text}`;
  return hasColumn(names, entityColumn)
    ? entitiesFault
    : `names no column for the label: expected one of ${roleNames.label}`;
}

/** The columns that the cells name, if they are the names of columns and not an example. */
export function repeatedHeader(
  cells: readonly string[],
  { delimiter, label }: CsvHeader,
): CsvHeader | undefined {
  if (label === -1 || roleOf(cells[label] ?? "") === undefined) return undefined;
  const texts = columnsOf(cells, "text");
  const labels = columnsOf(cells, "label");
  if (texts.length !== 1 || labels.length !== 1) return undefined;
  const found = headerOf({ delimiter, names: cells, texts, labels, isLabelled: true });
  return typeof found === "string" ? undefined : found;
}

function namesIn(line: string, delimiter: string): readonly string[] {
  const record = new CsvRecord(1);
  const state = record.read(line, { delimiter, quoting: "doubled" });
  return state === "done" ? record.cells.map((cell) => cell.trim()) : line.split(delimiter);
}

function columnsOf(names: readonly string[], role: "text" | "label"): readonly number[] {
  return names.flatMap((name, index) => (roleOf(name) === role ? [index] : []));
}

function headerOf(found: {
  readonly delimiter: string;
  readonly names: readonly string[];
  readonly texts: readonly number[];
  readonly labels: readonly number[];
  readonly isLabelled: boolean;
}): CsvHeader | string {
  const { delimiter, names, texts, labels, isLabelled } = found;
  if (texts.length > 1) return severalColumns("text", names, texts);
  if (labels.length > 1 && isLabelled) return severalColumns("label", names, labels);
  const cellCountMin = names.findLastIndex((name) => name !== "") + 1;
  return { delimiter, names, cellCountMin, text: texts[0] ?? -1, label: labels[0] ?? -1 };
}

function severalColumns(role: string, names: readonly string[], found: readonly number[]): string {
  const columns = found.map((index) => `"${names[index]}" (column ${index + 1})`).join(" and ");
  return `names ${found.length} columns that could be the ${role}: ${columns}; rename all but one`;
}

/**
 * Whether a line without a known name is a header or a row is for the user to say: a header that is
 * put before a header would make its names a row.
 */
function noHeader(line: string, tried: readonly string[], isLabelled: boolean): string {
  const { names, delimiter } = tried
    .map((separator) => ({ names: namesIn(line, separator), delimiter: separator }))
    .reduce((best, other) => (other.names.length > best.names.length ? other : best));
  const found = `(found: ${shownNames(names)})`;
  if (isLabelled && names.length === 1)
    return (
      `holds one column only ${found}: expected a header with the text and the label, such as ` +
      `"text,label", and rows of both, separated by comma, semicolon, tab or bar`
    );
  const label = isLabelled ? `, and another one to one of ${roleNames.label}` : "";
  return (
    `names no column for the text${isLabelled ? " or the label" : ""} ${found}: if it is the ` +
    `header, rename a column to one of ${roleNames.text}${label}; if it is the first row, put a ` +
    `header line before it, ${headerFor(names, delimiter)}`
  );
}

/** A header for a row: its longest cell may be the text, and the last other one the label. */
function headerFor(cells: readonly string[], delimiter: string): string {
  if (cells.length > advisedNameCountMax) return `of ${cells.length} names`;
  const lengths = cells.map((cell) => cell.trim().length);
  const text = lengths.indexOf(Math.max(...lengths));
  const label = lengths.findLastIndex((length, index) => index !== text && length > 0);
  const names = cells.map((_, index) => {
    if (index === text) return "text";
    return index === label ? "label" : `column${index + 1}`;
  });
  return `such as "${names.join(delimiter)}"`;
}
