/** What a file is: shown by its content, and by its name where the content does not show it. */
import { roleOf } from "./readers/columns.ts";
import { isConllLine, isConlluLine } from "./readers/conll.ts";
import { separatorOf } from "./readers/csv-header.ts";
import { type ReadOptions, refuse } from "./readers/source.ts";

/** Begins of texts that mark entities in a way that is not read, and what to do about them. */
const foreignTexts: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:T\d+\t\S+ \d+ \d+|#\d+\tAnnotatorNotes\b)/,
    "brat's standoff, whose text is another file: write each text with its entities as a line of " +
      'JSON, {"text": …, "entities": [[start, end, label]]}; places are the same',
  ],
  [/^#FORMAT=WebAnno TSV/, "WebAnno's TSV: export it as CoNLL 2002"],
  [/^(?:[A-Za-z_]\w* *= *)?\[\s*\(\s*["']/, "Python: write the list with json.dump"],
];

/** INVALID_ARGUMENT, with what to do, for a file whose labels are not where they are read. */
export function refuseForeign(start: string, source: ReadOptions): void {
  if (isConlluLine(firstWords(start))) {
    const expected = "expected a word in the first column and its tag in the last";
    refuse(source, `it is CoNLL-U, whose ten columns hold no entities: ${expected}`);
  }
  const content = start.trimStart();
  for (const [begin, what] of foreignTexts)
    if (begin.test(content)) refuse(source, `it is ${what}`);
}

/** The first line that is no comment as CoNLL's files have them. */
function firstWords(start: string): string {
  return /^(?:#[^\n]*\n\s*)*([^\n]*)/.exec(start.trimStart())?.[1] ?? "";
}

/** Formats that a file's name may tell. */
export type NamedFormat = "json" | "csv" | "conll";

const endingPattern = /\.(jsonl|ndjson|json|csv|tsv|psv|conllu?|bio|iob2?)(?:\.gz)?$/i;

/** The ending of a file's name, if it tells a format. */
export function endingOf(filename: string): string | undefined {
  return endingPattern.exec(filename)?.[1];
}

export function formatNamed(ending: string | undefined): NamedFormat | undefined {
  if (ending === undefined) return undefined;
  if (/json/i.test(ending)) return "json";
  return /sv$/i.test(ending) ? "csv" : "conll";
}

/** What the start of a file shows it to be; where it shows nothing, what its name says. */
export function kindOf(
  start: string,
  { named, isLabelled }: { readonly named: NamedFormat | undefined; readonly isLabelled: boolean },
): NamedFormat | "array" | "lines" {
  const content = start.trimStart();
  const [line = ""] = content.split("\n", 1);
  if (namesBoth(line) || separatorOf(line) !== undefined) return "csv";
  if (/^\[\s*[{[]/.test(content)) return "array";
  const expectsTags = isLabelled || named === "conll";
  const lines = [line, firstWords(start)];
  if (lines.some((one) => isConllLine(one, expectsTags))) return "conll";
  if (isLabelled ? content.startsWith("{") : objectStart.test(line)) return "json";
  if (pairStart.test(line)) return "json";
  return named ?? (isLabelled ? "csv" : "lines");
}

/** A line of plain text may begin with a brace. */
const objectStart = /^\{\s*(?:"|$)/;
/** A text and an object in one array, as spaCy has them. */
const pairStart = /^\[\s*"(?:[^"\\]|\\.)*"\s*,\s*\{/;

/** Whether a line names a column for the text and one for the label. */
function namesBoth(line: string): boolean {
  const roles = line.split(/[,;\t|]/).map((cell) => roleOf(cell.replaceAll('"', "")));
  return roles.includes("text") && roles.includes("label");
}
