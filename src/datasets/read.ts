/**
 * Reads a user's file: examples for training, or texts to be answered. The content decides what
 * the file is, and its name where the content does not. A line that cannot be used is a fault with
 * number and reason and harms no other; a file that cannot be read is an error in one sentence.
 * Reading holds the thread for a slice of time only, and stops at the first limit that is passed.
 */
import { Pace } from "../foundation/pace.ts";
import { Collected } from "./collected.ts";
import { roleOf } from "./readers/columns.ts";
import { ConllReader, isConllLine, isConlluLine } from "./readers/conll.ts";
import { CsvReader } from "./readers/csv.ts";
import { separatorOf } from "./readers/csv-header.ts";
import type { Dataset } from "./datasets.ts";
import type { DecodingLoss } from "./readers/decoding.ts";
import { JsonReader } from "./readers/json.ts";
import { LineReader } from "./readers/lines.ts";
import { Notes, pause, type RawRow, type RowReader } from "./readers/rows.ts";
import { type ReadOptions, refuse, textPieces } from "./readers/source.ts";
import { CollectedTexts, type Texts } from "./texts.ts";

/** Enough text to tell what a file is, in UTF-16 units. */
const startLength = 64 * 1024;

/**
 * Examples in the order of the file, which may be UTF-8, or UTF-16 with a byte order mark, and
 * packed by gzip.
 * - JSON: one object a line, objects over several lines, or an array of them: a text and a label
 *   under one of the names of `columns.ts`, or chat, `{"messages"}`, where what the user says is
 *   the text and the assistant's last answer the label. Entities are marked by
 *   `{"text", "entities": [{"start", "end", "label"}]}`, in Unicode code points, or by
 *   `{"tokens", "tags"}`, where single spaces make the tokens a text; see `tags.ts`.
 * - CoNLL columns: a word and its tag a line, a blank line between sentences.
 * - CSV: a header that names the text and the label alike; the separator is a comma, a semicolon,
 *   a tab or a bar.
 *
 * The first row that can be used decides whether labels or entities are learned; rows of the other
 * kind are faults. Labels are strings, integers or booleans, which become strings; white space
 * around them is cut, and Unicode is composed. Other fields are ignored, blank lines are skipped.
 */
export async function readDataset(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): Promise<Dataset> {
  const notes = new Notes();
  const pace = new Pace(options.signal);
  const collected = new Collected(options, notes);
  const reading = { source: options, notes, pace, isLabelled: true };
  await readRows(chunks, reading, (row) => collected.add(row));
  return collected.dataset(pace);
}

/**
 * Texts in the order of the file: of any file that `readDataset` takes, with or without labels, or
 * one a line. INVALID_ARGUMENT when a line cannot be used.
 */
export async function readTexts(
  chunks: AsyncIterable<Uint8Array>,
  options: ReadOptions,
): Promise<Texts> {
  const notes = new Notes();
  const pace = new Pace(options.signal);
  const collected = new CollectedTexts(options, notes);
  const reading = { source: options, notes, pace, isLabelled: false };
  await readRows(chunks, reading, (row) => collected.add(row));
  return collected.texts();
}

interface Reading {
  readonly source: ReadOptions;
  readonly notes: Notes;
  readonly pace: Pace;
  readonly isLabelled: boolean;
}

async function readRows(
  chunks: AsyncIterable<Uint8Array>,
  reading: Reading,
  add: (row: RawRow) => void,
): Promise<void> {
  const { pace, source } = reading;
  const drain = async (rows: Iterable<RawRow | typeof pause>): Promise<void> => {
    for (const row of rows) {
      if (row !== pause) add(row);
      if (pace.isDue) await pace.rest();
    }
    if (pace.isDue) await pace.rest();
  };
  let start = "";
  let reader: RowReader | undefined;
  for await (const piece of textPieces(chunks, source)) {
    if (typeof piece !== "string") refuseLoss(piece, reader ?? endOf(start), source);
    if (reader !== undefined) {
      await drain(reader.read(piece));
      continue;
    }
    start += piece;
    if (!canDecide(start)) continue;
    reader = readerOf(start, reading);
    await drain(reader.read(start));
  }
  if (reader === undefined) {
    reader = readerOf(start, reading);
    await drain(reader.read(start));
  }
  await drain(reader.end());
}

function refuseLoss(
  { reason }: DecodingLoss,
  { line, column }: Pick<RowReader, "line" | "column">,
  source: ReadOptions,
): never {
  refuse(source, `line ${line}, column ${column}: ${reason}`);
}

function endOf(text: string): Pick<RowReader, "line" | "column"> {
  const lines = text.split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

/** Whether the first line that is not blank is there, and what follows a bracket alone. */
function canDecide(start: string): boolean {
  const decisive = /^\s*(?:#[^\n]*\n\s*)*(?:\[\s*\S|[^\s[#])[^\n]*\n/;
  return start.length >= startLength || decisive.test(start);
}

function readerOf(start: string, reading: Reading): RowReader {
  const { source, notes, isLabelled } = reading;
  const ending = endingPattern.exec(source.filename)?.[1];
  const named = formatNamed(ending);
  if (named === "conll" || isLabelled) refuseConllu(start, source);
  const kind = kindOf(start, { named, isLabelled });
  const content = kind === "array" ? "json" : kind;
  if (named !== undefined && content !== named)
    notes.addGeneral(
      `the name ends in .${ending}, the content is ${content.toUpperCase()} and read as such`,
    );
  if (kind === "lines") return new LineReader(notes);
  if (kind === "conll") return new ConllReader({ isLabelled, notes });
  if (kind === "csv") return new CsvReader({ isLabelled, notes, source });
  return new JsonReader({ isLabelled, notes, isArray: kind === "array" });
}

function refuseConllu(start: string, source: ReadOptions): void {
  if (!isConlluLine(firstWords(start))) return;
  const expected = "expected a word in the first column and its tag in the last";
  refuse(source, `it is CoNLL-U, whose ten columns hold no entities: ${expected}`);
}

/** The first line that is no comment as CoNLL's files have them. */
function firstWords(start: string): string {
  return /^(?:#[^\n]*\n\s*)*([^\n]*)/.exec(start.trimStart())?.[1] ?? "";
}

/** Formats that a file's name may tell. */
type NamedFormat = "json" | "csv" | "conll";

const endingPattern = /\.(jsonl|ndjson|json|csv|tsv|psv|conllu?|bio|iob2?)(?:\.gz)?$/i;

function formatNamed(ending: string | undefined): NamedFormat | undefined {
  if (ending === undefined) return undefined;
  if (/json/i.test(ending)) return "json";
  return /sv$/i.test(ending) ? "csv" : "conll";
}

function kindOf(
  start: string,
  { named, isLabelled }: { readonly named: NamedFormat | undefined; readonly isLabelled: boolean },
): NamedFormat | "array" | "lines" {
  const content = start.trimStart();
  const [line = ""] = content.split("\n", 1);
  if (namesBoth(line) || separatorOf(line) !== undefined) return "csv";
  if (/^\[\s*\{/.test(content)) return "array";
  const expectsTags = isLabelled || named === "conll";
  const lines = [line, firstWords(start)];
  if (lines.some((one) => isConllLine(one, expectsTags))) return "conll";
  // A line of plain text may begin with a brace.
  if (content.startsWith("{") && (isLabelled || /^\{\s*(?:"|$)/.test(line))) return "json";
  return named ?? (isLabelled ? "csv" : "lines");
}

/** Whether a line names a column for the text and one for the label. */
function namesBoth(line: string): boolean {
  const roles = line.split(/[,;\t|]/).map((cell) => roleOf(cell.replaceAll('"', "")));
  return roles.includes("text") && roles.includes("label");
}
