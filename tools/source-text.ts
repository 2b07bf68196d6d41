/**
 * A TypeScript file cut into code and comments without a parser: each view has the length and the
 * lines of the original, so an offset found in one of them is an offset in the file.
 */
export interface SourceText {
  /** The file with comments and the contents of strings and regular expressions blanked. */
  readonly code: string;
  /** The file with everything but comments blanked. */
  readonly comments: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
}

/** A TypeScript file, read once for all rules. */
export interface SourceFile extends SourceText {
  /** Relative to the repository's root, with `/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

export function readSource(path: string, text: string): SourceFile {
  const source = splitSource(text);
  return { path, text, ...source, imports: importsOf(text, source.code) };
}

/** Code that only tests run: tests, the exams of seams, and what tests share, `exam-*.ts`. */
export function isExam(path: string): boolean {
  return /\.test\.ts$|\/conformance\.ts$|\/exam-[^/]*\.ts$/.test(path);
}

/** A comment, a string, or a character whose meaning depends on what stands before it. */
const token = /\/\/[^\n]*|\/\*[^]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[/`{}]/g;
const regularExpression = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\//y;
/** The text from a backtick, or from the brace that closes a `${…}`, to the next such place. */
const templatePart = /[`}](?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{)/y;
/** What stands before a `/` that opens a regular expression rather than divides. */
const beforeRegularExpression =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|throw))\s*$/;

/** Splits the text. Code that does not compile may be split wrongly, which `tsc` reports anyway. */
export function splitSource(text: string): SourceText {
  const comments: Span[] = [];
  const literals: Span[] = [];
  // One entry per open brace: true for the brace of a `${` in a template.
  const braces: boolean[] = [];
  for (let at = 0; ;) {
    token.lastIndex = at;
    const found = token.exec(text);
    if (found === null) break;
    const span = literalAt(text, found, braces);
    const isComment = /^\/[/*]/.test(found[0]);
    if (isComment) comments.push(span);
    else literals.push([span[0] + 1, span[1] - 1]);
    at = span[1];
  }
  return { code: blank(text, [...comments, ...literals]), comments: keep(text, comments) };
}

/** The comment or literal that the token opens; the token alone if it opens none. */
function literalAt(text: string, found: RegExpExecArray, braces: boolean[]): Span {
  const start = found.index;
  const closesTemplate = found[0] === "}" && braces.pop() === true;
  let end = start + found[0].length;
  if (found[0] === "{") braces.push(false);
  if (found[0] === "/" && beforeRegularExpression.test(text.slice(Math.max(0, start - 40), start)))
    end = endOf(regularExpression, text, start);
  if (found[0] === "`" || closesTemplate) {
    end = endOf(templatePart, text, start);
    if (text.startsWith("${", end - 2)) braces.push(true);
  }
  return [start, end];
}

/** The end of the match of the sticky pattern at `start`; the next offset if it does not match. */
function endOf(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : start + 1;
}

const importForm = /\b(?:from|import|import\s*\(|require\s*\(|new\s+URL\s*\()\s*(["'])( *)\1/g;

/** Every module that the file names: static, type-only, dynamic, required, or started by URL. */
function importsOf(text: string, code: string): readonly Import[] {
  return Array.from(code.matchAll(importForm), (found) => {
    const end = found.index + found[0].length - 1;
    const length = found[2]?.length ?? 0;
    return { specifier: text.slice(end - length, end), line: lineAt(text, found.index) };
  });
}

/** The line of an offset, counted from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
  }
  return line;
}

/** The offsets of the start and of the place after the end. */
type Span = readonly [start: number, end: number];

function blank(text: string, spans: readonly Span[]): string {
  const sorted = spans.toSorted((a, b) => a[0] - b[0]);
  let blanked = "";
  let at = 0;
  for (const [start, end] of sorted) {
    blanked += text.slice(at, start) + spaces(text.slice(start, end));
    at = Math.max(start, end);
  }
  return blanked + text.slice(at);
}

function keep(text: string, spans: readonly Span[]): string {
  let kept = "";
  for (const [start, end] of spans) {
    kept += spaces(text.slice(kept.length, start)) + text.slice(start, end);
  }
  return kept + spaces(text.slice(kept.length));
}

function spaces(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
