/**
 * Reads a user's file: examples for training, or texts to be answered. The content decides what
 * the file is, and its name where the content does not. A line that cannot be used is a fault with
 * number and reason and harms no other; a file that cannot be read is an error in one sentence.
 * Reading holds the thread for a slice of time only, and stops at the first limit that is passed.
 */
import { Pace } from "../foundation/pace.ts";
import { Collected, type CollectedOptions } from "./collected.ts";
import { endingOf, formatNamed, kindOf, refuseForeign } from "./file-kind.ts";
import { ConllReader } from "./readers/conll.ts";
import { CsvReader } from "./readers/csv.ts";
import type { Dataset } from "./datasets.ts";
import type { ExampleForms } from "./example-form.ts";
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
 *   `{"tokens", "tags"}`, where single spaces make the tokens a text; see `tags.ts`. What tools
 *   for labelling write is read as they mean it; see `entity-fields.ts` and `labelling-tools.ts`.
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
  options: CollectedOptions,
): Promise<Dataset> {
  const notes = new Notes();
  const pace = new Pace(options.signal);
  const collected = new Collected(options, notes);
  const reading = { source: options, notes, pace, forms: options.forms, isLabelled: true };
  await readRows(chunks, reading, (row) => collected.add(row));
  return collected.dataset(pace);
}

/**
 * Texts in the order of the file: of any file that `readDataset` takes, with or without labels, or
 * one a line. INVALID_ARGUMENT when a line cannot be used.
 */
export async function readTexts(
  chunks: AsyncIterable<Uint8Array>,
  options: CollectedOptions,
): Promise<Texts> {
  const notes = new Notes();
  const pace = new Pace(options.signal);
  const collected = new CollectedTexts(options, notes);
  const reading = { source: options, notes, pace, forms: options.forms, isLabelled: false };
  await readRows(chunks, reading, (row) => collected.add(row));
  return collected.texts();
}

interface Reading {
  readonly source: ReadOptions;
  readonly notes: Notes;
  readonly pace: Pace;
  readonly forms: ExampleForms;
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
  const { source, notes, forms, isLabelled } = reading;
  const ending = endingOf(source.filename);
  const named = formatNamed(ending);
  if (named === "conll" || isLabelled) refuseForeign(start, source);
  const kind = kindOf(start, { named, isLabelled });
  const content = kind === "array" ? "json" : kind;
  if (named !== undefined && content !== named)
    notes.addGeneral(
      `the name ends in .${ending}, the content is ${content.toUpperCase()} and read as such`,
    );
  if (kind === "lines") return new LineReader(notes);
  if (kind === "conll") return new ConllReader({ isLabelled, notes });
  if (kind === "csv") return new CsvReader({ isLabelled, notes, source });
  return new JsonReader({ forms, isLabelled, notes, isArray: kind === "array" });
}
