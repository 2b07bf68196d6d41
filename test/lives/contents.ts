/** Files that clients upload: few contents, so that equal bytes meet, each with its own labels. */
import type { Random } from "../../src/foundation/random.ts";
import { words } from "./tiny-base.ts";

const rowCount = 14;

/** A file whose rows begin with one of two words, which tells the label. */
function contentOf(index: number): Uint8Array {
  const [one = "", other = ""] = [words[index % words.length], words[(index + 3) % words.length]];
  const rows = Array.from({ length: rowCount }, (_, row) => {
    const isOne = row % 2 === 0;
    const second = words[(row >> 1) % words.length] ?? "";
    return { text: `${isOne ? one : other} ${second}`, label: `c${index}-${isOne ? "a" : "b"}` };
  });
  return new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n"));
}

export const contents: readonly Uint8Array[] = Array.from({ length: 5 }, (_, index) =>
  contentOf(index),
);

/** What no model can be trained on: it is refused when it is uploaded. */
export const badContent: Uint8Array = new TextEncoder().encode("no rows at all");

/** A text of one to three words, from a small set, so that reference answers are known soon. */
export function textOf(random: Random): string {
  const first = words[random.integer(words.length)] ?? "";
  return random.uniform() < 0.5 ? first : `${first} ${words[random.integer(2)] ?? ""}`;
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

/** The labels of a good file. */
export function labelsOf(content: Uint8Array): readonly string[] {
  const index = contents.findIndex((known) => Buffer.compare(known, content) === 0);
  return [`c${index}-a`, `c${index}-b`];
}
