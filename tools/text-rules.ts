/**
 * The rules about names and about single lines. They read code and comments apart
 * (`source-text.ts`), so a word in a string never counts.
 */
import { posix } from "node:path";
import type { Fault } from "./fault.ts";
import { lineAt } from "./source-text.ts";
import type { SourceFile } from "./source-text.ts";

const codeFolder = /^(?:src|test|bench|tools|examples)\//;
const kebabCase = /^[a-z0-9]+(?:[-.][a-z0-9]+)*$/;
const bannedNames: ReadonlySet<string> = new Set(
  "manager managers helper helpers util utils common misc data info handle tmp".split(" "),
);

/** Names of files and folders. */
export function pathFaults(path: string): Fault[] {
  if (!codeFolder.test(path)) return [];
  const segments = path.split("/");
  const messages = segments.flatMap((segment) => [
    ...(kebabCase.test(segment) ? [] : [`"${segment}" is not kebab-case`]),
    ...bannedWords(segment.replace(/\..*/, "").split("-"), path),
  ]);
  if (segments[0] === "src" && segments.length === 2)
    messages.push("lies in no folder of the layer table");
  // src, folder, sub-folder, file.
  if (segments[0] === "src" && segments.length > 4)
    messages.push("lies deeper than two folders below src/");
  if (/^index\.[jt]s$/.test(posix.basename(path)))
    messages.push("a barrel: import files by their own names");
  return messages.map((message) => ({ path, line: 0, message }));
}

const linesMax: readonly (readonly [RegExp, number])[] = [
  [/^README\.md$/, 120],
  [/^CONTRIBUTING\.md$/, 80],
  [/^ARCHITECTURE\.md$/, 400],
  [/^docs\/decisions\/.*\.md$/, 60],
];

/** What every text file keeps to. */
export function textFaults(path: string, text: string): Fault[] {
  const messages: string[] = [];
  if (text.startsWith("\ufeff")) messages.push("starts with a byte order mark");
  if (text.includes("\r")) messages.push("has carriage returns");
  if (text.includes("\t")) messages.push("has tabs");
  if (text !== "" && !text.endsWith("\n")) messages.push("does not end in a line feed");
  const lineCount = text.split("\n").length - 1;
  for (const [pattern, max] of linesMax) {
    if (pattern.test(path) && lineCount > max)
      messages.push(`has ${lineCount} lines, at most ${max} are allowed`);
  }
  return messages.map((message) => ({ path, line: 0, message }));
}

interface LineRule {
  readonly where: "code" | "comments";
  /** Global; each match is a fault. */
  readonly pattern: RegExp;
  readonly message: string;
}

/** What would begin a fragment such as "Of each row.": a sentence has its subject first. */
const prepositions =
  "Above|Across|After|Against|Among|As|At|Before|Below|Beside|Between|Beyond|By|Despite|During|" +
  "Except|For|From|In|Into|Of|On|Over|Per|Since|Through|To|Towards|Under|Until|Upon|When|Where|" +
  "While|Whose|With|Within|Without";

/** What would begin one such as "Called when it is over." */
const participles =
  "Aborted|Added|Answered|Called|Counted|Drawn|Given|Handed|Made|Searched|Told|Tried|Written";

const lineRules: readonly LineRule[] = [
  {
    where: "comments",
    pattern: /\b(?:FIXME|XXX|HACK)\b/g,
    message: "fix it now, or write TODO(#n) with the number of an issue",
  },
  {
    where: "comments",
    pattern: /\bTODO\b(?!\(#\d+\))/g,
    message: "a TODO names its issue: TODO(#n)",
  },
  {
    where: "comments",
    pattern: new RegExp(`/\\*\\*\\s*(?:\\*\\s*)?(?:${prepositions})\\b`, "g"),
    message: "a doc comment begins with what it is about, not with a preposition",
  },
  {
    where: "comments",
    pattern: new RegExp(`/\\*\\*\\s*(?:\\*\\s*)?(?:${participles})\\b`, "g"),
    message: "a doc comment begins with what it is about, not with a participle",
  },
  {
    where: "code",
    pattern: /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b|\b(?:only|skip): true\b/g,
    message: "a test is left out",
  },
  {
    where: "code",
    // Whole files that only pass on what others export.
    pattern: /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})[^;]*?\bfrom\b/gm,
    message: "a barrel: import from the file that declares it",
  },
];

/** Lines of a TypeScript file. */
export function lineFaults(file: SourceFile): Fault[] {
  const { path, text } = file;
  if (!codeFolder.test(path)) return [];
  const found = (offset: number, message: string): Fault => ({
    path,
    line: lineAt(text, offset),
    message,
  });
  return [
    ...lineRules.flatMap(({ where, pattern, message }) =>
      Array.from(file[where].matchAll(pattern), ({ index }) => found(index, message)),
    ),
    ...longLineFaults(file),
    ...castFaults(file),
    ...exportFaults(file),
    ...powerFaults(file),
    ...(path.startsWith("src/") && !path.endsWith(".test.ts") && !/^(?:#!.*\n)?\/\*\*/.test(text)
      ? [found(0, "starts without a comment that says what the file is for")]
      : []),
  ];
}

/** Powers of 2 and squares are rounded alike everywhere. */
const power = /(?<!(?<![\w.])2 )\*\* (?!2(?![\w.]))|\bMath\.pow\b/g;

/** V8 has rounded other powers in more than one way, but never exponentials and logarithms. */
function powerFaults({ path, text, code }: SourceFile): Fault[] {
  if (!path.startsWith("src/") || path.endsWith(".test.ts")) return [];
  const message = "a power's last bits differ between engines: use products, Math.exp, Math.sqrt";
  return Array.from(code.matchAll(power), ({ index }) => ({
    path,
    line: lineAt(text, index),
    message,
  }));
}

/** The formatter does not break strings and comments. An address cannot be broken. */
function longLineFaults({ path, text }: SourceFile): Fault[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.length <= 100 || line.includes("://")) return [];
    return [{ path, line: index + 1, message: `has ${line.length} characters, at most 100` }];
  });
}

/** `import { a as b }`, `export { a as b }`, and a mapped type's `[K in T as U]` are no casts. */
const renaming = /^(?:import|export)\s+(?:type\s+)?(?:\w+,\s*)?[{*][^;]*;|\bin\b[^\]\n]*\bas\b/gm;
/** `as const` and `as unknown` claim nothing that the compiler does not know. */
const cast = /\bas\s+(?!(?:const|unknown)\b(?!\s+as\b))[\w([{]/g;
/** A name, a call or an index, and then `!`, which is not the start of `!=`. */
const nonNull = /[\w$)\]]!(?!=)/g;

/** `as` and `!` overrule the compiler; the reason stands in a comment on the same line. */
function castFaults({ path, code, comments }: SourceFile): Fault[] {
  const codeLines = code.replace(renaming, (found) => found.replace(/\bas\b/g, "  ")).split("\n");
  const commentLines = comments.split("\n");
  return codeLines.flatMap((line, index) => {
    if (commentLines[index]?.trim() !== "") return [];
    const operators = [...(line.match(cast) ?? []).map(() => "as"), ...(line.match(nonNull) ?? [])];
    if (operators.length === 0) return [];
    const operator = operators[0] === "as" ? "as" : "!";
    return [{ path, line: index + 1, message: `"${operator}" without a reason on the line` }];
  });
}

const exported =
  /^export\s+(?:abstract\s+|async\s+)*(?:function\*?|const|class|interface|type)\s+(\w+)/gm;

/** What a file offers to others is named by what it is. */
function exportFaults({ path, text, code }: SourceFile): Fault[] {
  return Array.from(code.matchAll(exported)).flatMap(({ index, 1: name = "" }) => {
    const words = name.split(/(?=[A-Z])|_/).map((word) => word.toLowerCase());
    return bannedWords(words, path).map((message) => ({
      path,
      line: lineAt(text, index),
      message,
    }));
  });
}

/** The last word says what a thing is, the first what it does. */
function bannedWords(words: readonly string[], path: string): string[] {
  const isHttp = path.startsWith("src/http/");
  return words
    .filter((word, index) => index === words.length - 1 || (word === "handle" && index === 0))
    .filter((word) => bannedNames.has(word) && !(isHttp && word === "handle"))
    .map((word) => `"${word}" says nothing as a name`);
}
