/**
 * JSON objects in a text: one a line, written over several lines, or the items of one array. Each
 * is cut out and parsed alone, so that a bad one harms no other: an object ends at its bracket, at
 * a line end within a string, or where a line begins another object. One pass; no character is
 * looked at twice.
 */
import { limits } from "../../foundation/limits.ts";
import { fromJson, type JsonRows } from "./json-fields.ts";
import { markRemark, type Notes, type RawExample, type RawRow, type RowReader } from "./rows.ts";

const [lineFeed, tab, space, quote, comma, colon] = [0x0a, 0x09, 0x20, 0x22, 0x2c, 0x3a];
const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d];
const [dosEnd, byteOrderMark] = [0x1a, 0xfeff];
const { trainingLineCharactersMax: lengthMax } = limits;

const openString = "line is not valid JSON: a string is not closed";
const openObject = "line is not valid JSON: an object is not closed";

/** A value whose end has not come yet. */
interface OpenValue {
  readonly line: number;
  /** White space before it on its line; undefined where other things stand there. */
  readonly indent: number | undefined;
  /** Its text from earlier pieces, and where it begins or goes on in this piece. */
  readonly parts: string[];
  from: number;
  length: number;
  /** Brackets that are open now, and at most. */
  open: number;
  depth: number;
  colonCount: number;
  commaCount: number;
  isInString: boolean;
  /** Whether the last piece ended within an escape. */
  isEscaped: boolean;
}

export interface JsonReaderOptions extends JsonRows {
  readonly isArray: boolean;
  readonly notes: Notes;
}

export class JsonReader implements RowReader {
  readonly #options: JsonReaderOptions;
  #piece = "";
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** White space since the line's start; undefined once something else stood there. */
  #indent: number | undefined = 0;
  #value: OpenValue | undefined;
  /** Lines are skipped, after an object that broke in the middle, up to one that begins another. */
  #skipIndent: number | undefined;
  /** What ends a stretch that is skipped, while it has not come. */
  #skipEnd: string | RegExp | undefined;
  #lineEnd = -1;
  #arrayLine: number | undefined;
  #itemCount = 0;

  constructor(options: JsonReaderOptions) {
    this.#options = options;
  }

  get line(): number {
    return this.#line;
  }

  get column(): number {
    return this.#piece.length - this.#lineStart + 1;
  }

  *read(piece: string): Generator<RawRow> {
    this.#lineStart -= this.#piece.length;
    this.#piece = piece;
    this.#at = 0;
    this.#lineEnd = -1;
    if (this.#skipEnd !== undefined) {
      this.#skipTo(this.#skipEnd);
      this.#at += 1;
    }
    while (this.#at < piece.length) {
      const row = this.#value === undefined ? this.#outside() : this.#inside(this.#value);
      if (row !== undefined) yield row;
    }
    if (this.#value !== undefined) keep(this.#value, piece);
  }

  *end(): Generator<RawRow> {
    if (this.#value !== undefined)
      yield this.#row(this.#value, { fault: `${openObject}: the file may be cut short` });
    if (this.#arrayLine !== undefined)
      this.#options.notes.add(
        this.#arrayLine,
        "the array is not closed: the file may be cut short",
      );
  }

  /** Moves on to where a value begins, or past what cannot be one. */
  #outside(): RawRow | undefined {
    const piece = this.#piece;
    for (; this.#at < piece.length; this.#at += 1) {
      const code = piece.charCodeAt(this.#at);
      if (code === lineFeed) this.#endLine();
      else if (code === space || code === tab) this.#indent = widened(this.#indent);
      else if (this.#isSkipped(code)) this.#skipTo("\n");
      else if (!this.#isBetween(code)) return this.#begin(code);
    }
    return undefined;
  }

  /** Whether a character stands between values: the array's brackets do. */
  #isBetween(code: number): boolean {
    if (code === byteOrderMark) this.#options.notes.add(this.#line, markRemark);
    if (code === openBracket && this.#options.isArray && this.#arrayLine === undefined)
      this.#arrayLine = this.#line;
    else if (code === closeBracket && this.#arrayLine !== undefined) this.#arrayLine = undefined;
    else return code === comma || code === dosEnd || isWideSpace(code);
    return true;
  }

  #begin(code: number): RawRow | undefined {
    const isNested = code === openBrace || code === openBracket;
    const value: OpenValue = {
      line: this.#line,
      indent: this.#indent,
      parts: [],
      from: this.#at,
      length: 0,
      open: 0,
      depth: 0,
      colonCount: 0,
      commaCount: 0,
      isInString: false,
      isEscaped: false,
    };
    this.#indent = undefined;
    this.#skipIndent = undefined;
    if (isNested) {
      this.#value = value;
      return undefined;
    }
    // No object begins here: all up to the line's end, or to the array's next item, is one fault.
    this.#skipTo(this.#options.isArray ? /[,\]\n]/g : "\n");
    this.#at += 1;
    return this.#row(
      value,
      fromJson(this.#piece.slice(value.from, this.#at), value, this.#options),
    );
  }

  /** Moves to the last character before the end; it may lie in a later piece. */
  #skipTo(end: string | RegExp): void {
    const rest = this.#piece.slice(this.#at);
    const length = typeof end === "string" ? rest.indexOf(end) : rest.search(end);
    this.#skipEnd = length === -1 ? end : undefined;
    this.#at += (length === -1 ? rest.length : length) - 1;
    this.#indent = undefined;
  }

  /** Whether a character belongs to an object that broke before it. */
  #isSkipped(code: number): boolean {
    if (this.#skipIndent === undefined) return false;
    const isFirst = (this.#indent ?? Infinity) <= this.#skipIndent;
    return !isFirst || (code !== openBrace && code !== closeBracket);
  }

  #endLine(): void {
    this.#line += 1;
    this.#lineStart = this.#at + 1;
    this.#indent = 0;
  }

  /** Whether an object begins here, first on its line, no deeper than `indent`. */
  #beginsObject(code: number, indent: number | undefined): boolean {
    return code === openBrace && (this.#indent ?? Infinity) <= (indent ?? -1);
  }

  /** Moves on to the value's end. */
  #inside(value: OpenValue): RawRow | undefined {
    const piece = this.#piece;
    while (this.#at < piece.length) {
      if (value.isInString) {
        if (!this.#endString(value)) return this.#break(value, openString);
        continue;
      }
      const code = piece.charCodeAt(this.#at);
      if (value.open > 0 && this.#beginsObject(code, value.indent))
        return this.#break(value, openObject);
      this.#at += 1;
      if (code === space || code === tab) this.#indent = widened(this.#indent);
      else if (code === lineFeed) {
        this.#at -= 1;
        this.#endLine();
        this.#at += 1;
      } else {
        this.#indent = undefined;
        if (isEnd(value, code)) return this.#complete(value);
      }
    }
    return undefined;
  }

  /** Moves behind the string's quote; false where the line ends before it. */
  #endString(value: OpenValue): boolean {
    const piece = this.#piece;
    const start = this.#at;
    const lineEnd = this.#nextLineEnd();
    for (let at = start; ; at += 1) {
      const found = piece.indexOf('"', at);
      const end = found === -1 ? piece.length : found;
      if (lineEnd < end) {
        this.#at = lineEnd;
        return false;
      }
      let first = end;
      while (first > at && piece[first - 1] === "\\") first -= 1;
      const isCarried = first === start && value.isEscaped;
      const isEscaped = (end - first + (isCarried ? 1 : 0)) % 2 === 1;
      at = end;
      if (found !== -1 && isEscaped) continue;
      value.isEscaped = found === -1 && isEscaped;
      value.isInString = found === -1;
      this.#at = found === -1 ? end : end + 1;
      return true;
    }
  }

  /** It is searched once per line, not once per string. */
  #nextLineEnd(): number {
    if (this.#lineEnd < this.#at) {
      const found = this.#piece.indexOf("\n", this.#at);
      this.#lineEnd = found === -1 ? Infinity : found;
    }
    return this.#lineEnd;
  }

  #complete(value: OpenValue): RawRow {
    this.#value = undefined;
    const length = value.length + this.#at - value.from;
    if (length > lengthMax)
      return this.#row(value, {
        fault: `line has ${length} characters, the limit is ${lengthMax}`,
      });
    const source = value.parts.join("") + this.#piece.slice(value.from, this.#at);
    return this.#row(value, fromJson(source, value, this.#options));
  }

  #break(value: OpenValue, fault: string): RawRow {
    this.#value = undefined;
    // What follows on a later line belongs to the same object.
    if (fault === openString && this.#line > value.line) this.#skipIndent = value.indent ?? 0;
    return this.#row(value, { fault });
  }

  #row({ line }: OpenValue, example: RawExample): RawRow {
    this.#itemCount += 1;
    return { ...example, line, ...(this.#options.isArray ? { item: this.#itemCount } : {}) };
  }
}

/** Counts a character outside of strings; whether the value ends with it. */
function isEnd(value: OpenValue, code: number): boolean {
  if (code === quote) value.isInString = true;
  else if (code === colon) value.colonCount += 1;
  else if (code === comma) value.commaCount += 1;
  else if (code === openBrace || code === openBracket) {
    value.open += 1;
    value.depth = Math.max(value.depth, value.open);
  } else if (code === closeBrace || code === closeBracket) {
    value.open -= 1;
    return value.open === 0;
  }
  return false;
}

/** Keeps the value's text of this piece, unless it is too long anyway. */
function keep(value: OpenValue, piece: string): void {
  if (value.length <= lengthMax) value.parts.push(piece.slice(value.from));
  value.length += piece.length - value.from;
  value.from = 0;
}

/** White space beyond ASCII; JSON knows none, but editors and pages leave some behind. */
function isWideSpace(code: number): boolean {
  return code > 0x7f && /\s/.test(String.fromCharCode(code));
}

function widened(indent: number | undefined): number | undefined {
  return indent === undefined ? undefined : indent + 1;
}
