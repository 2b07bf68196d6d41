/**
 * Tokens become a text, by single spaces, so that training sees what serving sees; their tags, or
 * spans of them, become entities of it.
 */
import { CodePoints } from "./code-points.ts";
import { type Entity, kindOf } from "./datasets.ts";
import { isArray } from "./readers/fields.ts";
import type { RawFault, RawMarked, RawText } from "./readers/rows.ts";
import { outsideTag, spansOf, type WordSpan } from "./tags.ts";

/**
 * The text of tokens with the entities that their tags mean; or the reason why there is none.
 * `fields` names where both come from.
 */
export function fromTags(tokens: unknown, tags: unknown, fields: string): RawMarked | RawFault {
  const words = wordsOf(tokens);
  if ("fault" in words) return words;
  if (!isArray(tags)) return { fault: `tags is ${kindOf(tags)}, expected an array` };
  if (words.length !== tags.length)
    return { fault: `there are ${words.length} tokens and ${tags.length} tags` };
  const names: string[] = [];
  for (const [index, tag] of tags.entries()) {
    const fault = tagFault(tag);
    if (fault !== undefined) return { fault: `tag ${index + 1} ${fault}` };
    names.push(String(tag).trim());
  }
  return { text: words.join(" "), entities: placesOf(words, spansOf(names)), tags: names, fields };
}

/**
 * The text of tokens with entities from one token to another one, both of which are part of it,
 * as GLiNER has them: `[[0, 1, "city"]]`.
 */
export function fromTokenSpans(
  tokens: unknown,
  spans: unknown,
  fields: string,
): RawMarked | RawFault {
  const words = wordsOf(tokens);
  if ("fault" in words) return words;
  if (spans === undefined) return { fault: 'ner is missing: expected [[first, last, "label"]]' };
  if (!isArray(spans)) return { fault: `ner is ${kindOf(spans)}, expected an array` };
  const found: WordSpan[] = [];
  for (const [index, value] of spans.entries()) {
    const span = spanOf(value, words.length);
    if (typeof span === "string") return { fault: `entity ${index + 1}: ${span}` };
    found.push(span);
  }
  // There are no tags to be looked at, nor places of the file's own.
  return { text: words.join(" "), entities: placesOf(words, found), tags: [], fields };
}

/** The text of tokens alone, where tags are not asked for. */
export function textOfTokens(tokens: unknown): RawText | RawFault {
  const words = wordsOf(tokens);
  return "fault" in words ? words : { text: words.join(" "), fields: "tokens" };
}

function wordsOf(tokens: unknown): readonly string[] | RawFault {
  if (!isArray(tokens)) return { fault: `tokens is ${kindOf(tokens)}, expected an array` };
  const words: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const fault = tokenFault(token);
    if (fault !== undefined) return { fault: `token ${index + 1} ${fault}` };
    words.push(String(token));
  }
  return words;
}

function tokenFault(token: unknown): string | undefined {
  if (typeof token !== "string") return `is ${kindOf(token)}, expected a string`;
  return token.trim() === "" ? "is empty" : undefined;
}

function tagFault(tag: unknown): string | undefined {
  if (Number.isSafeInteger(tag))
    return (
      `is ${String(tag)}: write the tag's name, such as "B-city"; a data set of Hugging Face has ` +
      `them in features["ner_tags"].feature.names`
    );
  if (typeof tag !== "string") return `is ${kindOf(tag)}, expected a string`;
  if (tag.trim() === "") return `is empty; a token outside of all entities has "${outsideTag}"`;
  return /^[BIESLUM]-\s*$/.test(tag) ? `is "${tag}", which names no label` : undefined;
}

/** The span of a triple whose second place is that of its last token; or what is wrong with it. */
function spanOf(value: unknown, tokenCount: number): WordSpan | string {
  if (!isArray(value) || value.length !== 3) return "it is no triple of first, last and label";
  const [first, last, type] = value;
  const isToken = (place: unknown): place is number =>
    Number.isSafeInteger(place) && Number(place) >= 0 && Number(place) < tokenCount;
  if (!isToken(first) || !isToken(last) || last < first)
    return (
      `it goes from token ${String(first)} to ${String(last)}, where tokens are 0 to ` +
      `${tokenCount - 1}, and the last one is part of it`
    );
  return typeof type === "string"
    ? { start: first, end: last + 1, type }
    : `label is ${kindOf(type)}, expected a string`;
}

function placesOf(words: readonly string[], spans: readonly WordSpan[]): readonly Entity[] {
  const starts: number[] = [];
  const ends: number[] = [];
  let place = 0;
  for (const word of words) {
    starts.push(place);
    place += new CodePoints(word).count;
    ends.push(place);
    place += 1;
  }
  return spans.map(({ start, end, type }) => ({
    start: starts[start] ?? 0,
    end: ends[end - 1] ?? 0,
    label: type,
  }));
}
