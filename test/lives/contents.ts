/** Files that clients upload: few contents, so that equal bytes meet, each with its own labels. */
import type { TaskName } from "../../src/foundation/kind-names.ts";
import type { Random } from "../../src/foundation/random.ts";
import { words } from "./tiny-base.ts";

const rowCount = 14;

/** A file's bytes, and what a model that learns from it is for and calls things. */
export interface Content {
  readonly bytes: Uint8Array;
  readonly task: TaskName;
  readonly labels: readonly string[];
}

/** A file whose rows begin with one of two words, which tells the label. */
function labelledContent(index: number): Content {
  const labels = labelsOf("c", index);
  const rows = textsOf(index).map((text, row) => ({ text, label: labels[row % 2] }));
  return { bytes: linesOf(rows), task: "text-classification", labels };
}

/** The same, but that the first word, or the second one, is an entity of that label. */
function markedContent(index: number): Content {
  const labels = labelsOf("e", index);
  const rows = textsOf(index).map((text, row) => {
    const space = text.indexOf(" ");
    const place = row % 2 === 0 ? { start: 0, end: space } : { start: space + 1, end: text.length };
    return { text, entities: [{ ...place, label: labels[row % 2] }] };
  });
  return { bytes: linesOf(rows), task: "token-classification", labels };
}

function labelsOf(prefix: string, index: number): readonly [string, string] {
  return [`${prefix}${index}-a`, `${prefix}${index}-b`];
}

function textsOf(index: number): readonly string[] {
  const [one = "", other = ""] = [words[index % words.length], words[(index + 3) % words.length]];
  return Array.from({ length: rowCount }, (_, row) => {
    const second = words[(row >> 1) % words.length] ?? "";
    return `${row % 2 === 0 ? one : other} ${second}`;
  });
}

function linesOf(rows: readonly object[]): Uint8Array {
  return new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n"));
}

export const contents: readonly Content[] = [
  ...Array.from({ length: 4 }, (_, index) => labelledContent(index)),
  ...Array.from({ length: 3 }, (_, index) => markedContent(index)),
];

/** What no model can be trained on: it is refused when it is uploaded. */
export const badContent: Uint8Array = new TextEncoder().encode("no rows at all");

/** A text of one to three words, from a small set, so that reference answers are known soon. */
export function textOf(random: Random): string {
  const first = words[random.integer(words.length)] ?? "";
  const rest = [words[random.integer(2)], words[2]].slice(0, random.integer(3));
  return [first, ...rest].join(" ");
}

const boundary = "boundary-of-lives";

/** The upload of a training file as a browser would send it. */
export function formOf(content: Uint8Array): { readonly type: string; readonly bytes: Uint8Array } {
  const head =
    `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n` +
    `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="rows.jsonl"\r\n` +
    `content-type: application/octet-stream\r\n\r\n`;
  const bytes = Buffer.concat([Buffer.from(head), content, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { type: `multipart/form-data; boundary=${boundary}`, bytes };
}

/** The content of a good file. */
export function contentOf(bytes: Uint8Array): Content | undefined {
  return contents.find((known) => Buffer.compare(known.bytes, bytes) === 0);
}
