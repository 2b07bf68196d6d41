/** Rows of a text and the entities that are marked in it, by places or by a tag for each token. */
import { visible } from "../foundation/visible.ts";
import { CodePoints } from "./code-points.ts";
import { type Entity, kindOf, type MarkedText, textValueFault } from "./datasets.ts";
import type { ExampleForm } from "./example-form.ts";
import type { Labels } from "./labels.ts";
import type { RawExample, RawMarked } from "./readers/rows.ts";
import { outsideTag, spansOf } from "./tags.ts";

/** The names by which files call an entity's label, and its text where they repeat it. */
const labelNames = ["label", "type", "entity_group", "entity"] as const;
const wordNames = ["word", "text"] as const;

export const markedForm: ExampleForm<RawMarked, MarkedText> = {
  task: "token-classification",
  content: "entities",
  conflict: "there with different entities",
  claims: (row): row is RawMarked => "entities" in row,
  checked({ text, entities }, labels) {
    const fault = textValueFault(text);
    if (fault !== undefined || typeof text !== "string") return fault ?? "text is missing";
    if (!isArray(entities)) return `entities is ${kindOf(entities)}, expected an array`;
    const places = new CodePoints(text);
    const found: Entity[] = [];
    for (const [index, value] of entities.entries()) {
      const entity = entityOf(value, places, labels);
      if (typeof entity !== "string") found.push(entity);
      else return withoutCounts(found, labels, `entity ${index + 1}: ${entity}`);
    }
    const sorted = found.toSorted((a, b) => a.start - b.start || a.end - b.end);
    const overlap = overlapOf(sorted);
    return overlap === undefined
      ? { text, entities: sorted }
      : withoutCounts(found, labels, overlap);
  },
  labelsOf: ({ entities }) => entities.map(({ label }) => label),
  spelled: ({ entities }) =>
    JSON.stringify(entities.map(({ start, end, label }) => [start, end, label])),
};

/**
 * The text of tokens, joined by single spaces, with the entities that their tags mean; or the
 * reason why there is none.
 */
export function fromTokens(tokens: unknown, tags: unknown, fields: string): RawExample {
  if (!isArray(tokens)) return { fault: `tokens is ${kindOf(tokens)}, expected an array` };
  if (!isArray(tags)) return { fault: `tags is ${kindOf(tags)}, expected an array` };
  if (tokens.length !== tags.length)
    return { fault: `there are ${tokens.length} tokens and ${tags.length} tags` };
  const words: string[] = [];
  for (const [index, token] of tokens.entries()) {
    const fault = tokenFault(token);
    if (fault !== undefined) return { fault: `token ${index + 1} ${fault}` };
    words.push(String(token));
  }
  const names: string[] = [];
  for (const [index, tag] of tags.entries()) {
    const fault = tagFault(tag);
    if (fault !== undefined) return { fault: `tag ${index + 1} ${fault}` };
    names.push(String(tag).trim());
  }
  return { text: words.join(" "), entities: placesOf(words, names), tags: names, fields };
}

/** The text of tokens alone, where tags are not asked for. */
export function textOfTokens(tokens: unknown): RawExample {
  if (!isArray(tokens)) return { fault: `tokens is ${kindOf(tokens)}, expected an array` };
  const tags = tokens.map(() => outsideTag);
  return fromTokens(tokens, tags, "tokens");
}

function placesOf(words: readonly string[], tags: readonly string[]): readonly Entity[] {
  const starts: number[] = [];
  const ends: number[] = [];
  let place = 0;
  for (const word of words) {
    starts.push(place);
    place += new CodePoints(word).count;
    ends.push(place);
    place += 1;
  }
  return spansOf(tags).map(({ start, end, type }) => ({
    start: starts[start] ?? 0,
    end: ends[end - 1] ?? 0,
    label: type,
  }));
}

function tokenFault(token: unknown): string | undefined {
  if (typeof token !== "string") return `is ${kindOf(token)}, expected a string`;
  return token.trim() === "" ? "is empty" : undefined;
}

function tagFault(tag: unknown): string | undefined {
  if (Number.isSafeInteger(tag)) return `is ${String(tag)}: write the tag's name, such as "B-city"`;
  if (typeof tag !== "string") return `is ${kindOf(tag)}, expected a string`;
  if (tag.trim() === "") return 'is empty; a token outside of all entities has "O"';
  return /^[BIESLUM]-\s*$/.test(tag) ? `is "${tag}", which names no label` : undefined;
}

function entityOf(value: unknown, places: CodePoints, labels: Labels): Entity | string {
  if (isArray(value)) {
    const [start, end, label] = value;
    return value.length === 3
      ? checkedEntity({ start, end, label }, places, labels)
      : `it has ${value.length} values, expected start, end and label`;
  }
  if (typeof value !== "object" || value === null) return `it is ${kindOf(value)}, not an object`;
  const fields = value as Readonly<Record<string, unknown>>; // an object's fields are unknown
  const label = labelNames.map((name) => fields[name]).find((found) => found != null);
  const word = wordNames.map((name) => fields[name]).find((found) => typeof found === "string");
  return checkedEntity({ start: fields["start"], end: fields["end"], label, word }, places, labels);
}

interface RawEntity {
  readonly start: unknown;
  readonly end: unknown;
  readonly label: unknown;
  readonly word?: unknown;
}

function checkedEntity(raw: RawEntity, places: CodePoints, labels: Labels): Entity | string {
  const { start, end, label, word } = raw;
  if (!isPlace(start)) return kindFault("start", start, "a place in the text");
  if (!isPlace(end)) return kindFault("end", end, "a place in the text");
  if (start >= end) return `it begins at ${start} and ends at ${end}`;
  if (end > places.count)
    return `it ends at ${end}, behind the text's ${places.count} characters (code points)`;
  const own = places.slice(start, end);
  if (own.trim() === "") return "it holds white space only";
  if (typeof word === "string" && word !== own)
    return (
      `it says "${shown(word)}", the text from ${start} to ${end} is "${shown(own)}"; places ` +
      "count Unicode code points from 0"
    );
  if (typeof label !== "string") return kindFault("label", label, "a string");
  if (label.trim() === outsideTag) return `label "${outsideTag}" stands for what is no entity`;
  const known = labels.add(label);
  return typeof known === "string" ? { start, end, label: known } : known.fault;
}

function kindFault(name: string, value: unknown, expected: string): string {
  return value === undefined
    ? `${name} is missing`
    : `${name} is ${kindOf(value)}, expected ${expected}`;
}

function shown(text: string): string {
  return visible(text.slice(0, 40));
}

function overlapOf(sorted: readonly Entity[]): string | undefined {
  for (const [index, { start, end }] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && next.start < end)
      return (
        `entities overlap: ${start} to ${end} and ${next.start} to ${next.end}; ` +
        "a character can be part of one only"
      );
  }
  return undefined;
}

function withoutCounts(counted: readonly Entity[], labels: Labels, fault: string): string {
  for (const { label } of counted) labels.remove(label);
  return fault;
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0; // a number, as just checked
}

/** `Array.isArray` would make the items `any`. */
function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
