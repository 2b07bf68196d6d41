/**
 * Sentences in CoNLL columns: one word a line, the first column is the word, the last its tag;
 * columns are separated by tabs, or by spaces where a line has no tab. Blank lines end sentences,
 * and so do `-DOCSTART-` lines. A line that cannot be used costs its sentence, since a sentence
 * that lacks a word has other entities. Lines before a sentence that begin with `#` are comments,
 * unless they have the columns of words.
 */
import { limits } from "../../foundation/limits.ts";
import { Lines, withoutMark } from "./lines.ts";
import { isTag } from "../tags.ts";
import { fromTags, textOfTokens } from "../tokens.ts";
import type { Notes, RawRow, RowReader } from "./rows.ts";

const documentStart = "-DOCSTART-";

/** Columns of the files of CoNLL's tasks, at most, but for what others have added to them. */
const columnCountMax = 16;

/**
 * Whether a line is of this form: a word, and a tag behind it. Words that are separated by spaces
 * may be any text, so that those count where tags are expected only.
 */
export function isConllLine(line: string, isLabelled: boolean): boolean {
  if (line.startsWith(documentStart)) return true;
  if (!isLabelled && !line.includes("\t")) return false;
  const columns = columnsOf(line);
  const isFew = columns.length >= 2 && columns.length <= columnCountMax;
  return isFew && isTag(columns.at(-1) ?? "") && !/[,;|{]/.test(columns[0]?.slice(1) ?? "");
}

/** Whether a line is a word of CoNLL-U: ten columns by tabs, of which the first is its number. */
export function isConlluLine(line: string): boolean {
  const columns = line.split("\t");
  return columns.length === 10 && /^\d+(?:[-.]\d+)?$/.test(columns[0] ?? "");
}

const commentRemark = 'a line that begins with "#" before a sentence is skipped as a comment';
const numbersRemark =
  "the first column counts the words of the sentence: expected the word first and its tag last";
const tagBeforeRemark = 'a tag stands before the last column, which is what is read, and has "_"';

interface TaggedWord {
  readonly word: string;
  readonly tag: string;
}

export class ConllReader implements RowReader {
  readonly #notes: Notes;
  readonly #isLabelled: boolean;
  readonly #lines = new Lines(() => false);
  #words: TaggedWord[] = [];
  /** The first line of the sentence that is open. */
  #firstLine = 0;
  #characters = 0;
  #hasFault = false;
  /** The columns of the word before, which say what a comment is not. */
  #shape: string | undefined;
  readonly #tags = new Set<string>();

  constructor(options: { readonly isLabelled: boolean; readonly notes: Notes }) {
    this.#isLabelled = options.isLabelled;
    this.#notes = options.notes;
  }

  get line(): number {
    return this.#lines.number + 1;
  }

  get column(): number {
    return this.#lines.openLength + 1;
  }

  *read(piece: string): Generator<RawRow> {
    for (const line of this.#lines.read(piece)) yield* this.#take(line);
  }

  *end(): Generator<RawRow> {
    for (const line of this.#lines.end()) yield* this.#take(line);
    yield* this.#endSentence();
  }

  *#take(raw: string): Generator<RawRow> {
    const { number } = this.#lines;
    const line = withoutMark(raw, number, this.#notes);
    if (line.trim() === "" || line.startsWith(documentStart)) {
      yield* this.#endSentence();
      return;
    }
    const isFirst = this.#words.length === 0 && !this.#hasFault;
    if (isFirst && line.startsWith("#") && this.#isComment(line)) {
      this.#notes.add(number, commentRemark);
      return;
    }
    if (isFirst) this.#firstLine = number;
    const word = this.#hasFault ? undefined : this.#wordOf(line);
    if (typeof word === "string") {
      this.#hasFault = true;
      this.#words = [];
      yield { line: number, fault: word };
    } else if (word !== undefined) this.#words.push(word);
  }

  /** Whether a line that begins with `#` has other columns than words have, or ends in no tag. */
  #isComment(line: string): boolean {
    const columns = columnsOf(line);
    if (this.#shape === undefined && /^#[^\t]* = /.test(line)) return true;
    if (this.#shape !== undefined && shapeOf(line, columns) !== this.#shape) return true;
    const last = tagOf(columns);
    if (isTag(last) || this.#tags.has(last)) return false;
    // A type that stands here for the first time; the words of comments are parted by spaces.
    return !/^[^ \t]+\t/.test(line);
  }

  #remember(line: string, columns: readonly string[]): void {
    const tag = tagOf(columns);
    this.#shape = shapeOf(line, columns);
    if (this.#tags.size < limits.labelCountMax) this.#tags.add(tag);
    if (tag === "_" && columns.slice(1, -1).some(isTag))
      this.#notes.add(this.#lines.number, tagBeforeRemark);
  }

  /** The word of a line; a text says what is wrong with it. */
  #wordOf(line: string): TaggedWord | string {
    const { inputCharactersMax: lengthMax } = limits;
    if (line.length > lengthMax) return `line is longer than ${lengthMax} characters`;
    const { trainingRowValueCountMax: countMax } = limits;
    const sentence = `its sentence, from line ${this.#firstLine},`;
    if (this.#words.length >= countMax)
      return `${sentence} has more words than the limit of ${countMax}`;
    const columns = columnsOf(line);
    if (columns.length < 2 && this.#isLabelled)
      return "expected a word and a tag, got one column; the line's sentence is left out";
    const word = columns[0]?.trim() ?? "";
    if (word === "") return "word is empty; the line's sentence is left out";
    this.#characters += word.length + 1;
    if (this.#characters > lengthMax) return `${sentence} has more than ${lengthMax} characters`;
    this.#remember(line, columns);
    return { word, tag: tagOf(columns) };
  }

  *#endSentence(): Generator<RawRow> {
    const words = this.#words.map(({ word }) => word);
    const tags = this.#words.map(({ tag }) => tag);
    const line = this.#firstLine;
    const isEmpty = words.length === 0;
    this.#words = [];
    this.#characters = 0;
    this.#hasFault = false;
    if (isEmpty) return;
    if (words.length > 1 && words.every((word, index) => word === String(index + 1)))
      this.#notes.add(line, numbersRemark);
    const row = this.#isLabelled ? fromTags(words, tags, "word and tag") : textOfTokens(words);
    yield { ...row, line };
  }
}

function columnsOf(line: string): readonly string[] {
  return line.includes("\t") ? line.split("\t") : line.trim().split(/ +/);
}

function tagOf(columns: readonly string[]): string {
  return columns.at(-1)?.trim() ?? "";
}

/** Alike for lines of as many columns, parted alike. */
function shapeOf(line: string, columns: readonly string[]): string {
  return `${columns.length} by ${line.includes("\t") ? "tabs" : "spaces"}`;
}
