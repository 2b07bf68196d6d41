/** Rows of a text and the entities that are marked in it. */
import { visible } from "../foundation/visible.ts";
import { CodePoints } from "./code-points.ts";
import { unitsCure } from "./counted-units.ts";
import { type Entity, kindOf, type MarkedText, textValueFault } from "./datasets.ts";
import { EntityReview } from "./entity-review.ts";
import type { ExampleForm } from "./example-form.ts";
import type { Labels } from "./labels.ts";
import { entitiesOfObject, startNames, wordNames } from "./readers/entity-fields.ts";
import { type Fields, isArray, isFields } from "./readers/fields.ts";
import type { RawMarked } from "./readers/rows.ts";
import { outsideTag } from "./tags.ts";

/** The names by which files call an entity's end and label. */
const endNames = ["end", "end_offset"] as const;
const labelNames = ["label", "type", "entity_group", "entity", "labels"] as const;

export const markedForm: ExampleForm<RawMarked, MarkedText> = {
  task: "token-classification",
  content: "entities",
  conflict: "there with different entities",
  // A text without an entity is one of none.
  labelCountMin: 1,
  ofObject: entitiesOfObject,
  ofBare: (row) => ({ ...row, entities: [] }),
  claims: (row): row is RawMarked => "entities" in row,
  checked({ text, entities }, labels) {
    const fault = textValueFault(text);
    if (fault !== undefined || typeof text !== "string") return fault ?? "text is missing";
    if (!isArray(entities)) return `entities is ${kindOf(entities)}, expected an array`;
    const places = new CodePoints(text);
    const found: Entity[] = [];
    const placed: PlacedEntity[] = [];
    for (const [index, value] of entities.entries()) {
      const entity = placedOf(value, places);
      if (typeof entity === "string") return `entity ${index + 1}: ${entity}`;
      placed.push(entity);
    }
    // Of entities that overlap no text is looked at, so that all of it is looked at once at most.
    const overlap = overlapOf(placed.toSorted(byPlace));
    if (overlap !== undefined) return overlap;
    for (const [index, raw] of placed.entries()) {
      const entity = entityOf(raw, places, labels);
      if (typeof entity !== "string") found.push(entity);
      else return withoutCounts(found, labels, `entity ${index + 1}: ${entity}`);
    }
    return { text, entities: found.toSorted(byPlace) };
  },
  labelsOf: ({ entities }) => entities.map(({ label }) => label),
  spelled: ({ entities }) =>
    JSON.stringify(entities.map(({ start, end, label }) => [start, end, label])),
  review: () => new EntityReview(),
};

/** An entity whose place is in the text; the rest is not yet checked. */
interface PlacedEntity extends Place {
  readonly label: unknown;
  readonly word?: unknown;
}

type Place = Pick<Entity, "start" | "end">;

function byPlace(left: Place, right: Place): number {
  return left.start - right.start || left.end - right.end;
}

function placedOf(value: unknown, places: CodePoints): PlacedEntity | string {
  if (isArray(value)) {
    // Argilla has the label first.
    const isLabelFirst = typeof value[0] === "string" && isPlace(value[1]);
    const [start, end, label] = isLabelFirst ? [value[1], value[2], value[0]] : value;
    return value.length === 3
      ? withPlace({ start, end, label }, places)
      : `it has ${value.length} values, expected start, end and label`;
  }
  if (!isFields(value)) return `it is ${kindOf(value)}, not an object`;
  const named = firstOf(value, labelNames);
  // Where several could be given there is a list, as in Label Studio.
  const label = isArray(named) && named.length === 1 ? named[0] : named;
  const word = firstOf(value, wordNames);
  const [start, end] = [firstOf(value, startNames), firstOf(value, endNames)];
  return withPlace({ start, end, label, word }, places);
}

/** The first of the fields that is there; null where it is null alone. */
function firstOf(fields: Fields, names: readonly string[]): unknown {
  const values = names.map((name) => fields[name]);
  return values.find((value) => value != null) ?? values.find((value) => value === null);
}

interface RawEntity {
  readonly start: unknown;
  readonly end: unknown;
  readonly label: unknown;
  readonly word?: unknown;
}

function withPlace(raw: RawEntity, places: CodePoints): PlacedEntity | string {
  const { start, end, label, word } = raw;
  if (!isPlace(start)) return kindFault("start", start, "a place in the text");
  if (!isPlace(end)) return kindFault("end", end, "a place in the text");
  if (start >= end)
    return `it begins at ${start} and ends at ${end}: the end is behind the last character`;
  if (end > places.count) {
    const cure = places.placeOf(end) === undefined ? "" : `; ${unitsCure}`;
    return `it ends at ${end}, behind the text's ${places.count} characters (code points)${cure}`;
  }
  return { start, end, label, word };
}

function entityOf(raw: PlacedEntity, places: CodePoints, labels: Labels): Entity | string {
  const { start, end, label, word } = raw;
  if (places.slice(start, end).trim() === "") return "it holds white space only";
  const fault = typeof word === "string" ? wordFault(word, { start, end }, places) : undefined;
  if (fault !== undefined) return fault;
  if (typeof label !== "string") return kindFault("label", label, "a string");
  if (label.trim() === outsideTag) return `label "${outsideTag}" stands for what is no entity`;
  const known = labels.add(label);
  return typeof known === "string" ? { start, end, label: known } : known.fault;
}

/**
 * Whether a word says a text of several lines as Label Studio does: without the line breaks, or
 * with each as a backslash and its letter.
 */
function isBroken(word: string, own: string): boolean {
  const joined = (text: string): string => text.replaceAll(/\s|\\[nrt]/g, "");
  return /[\r\n]/.test(own) && joined(word) === joined(own);
}

/** What is wrong with an entity if it is not the text that the file says it is. */
function wordFault(word: string, { start, end }: Place, places: CodePoints): string | undefined {
  const own = places.slice(start, end);
  if (word === own || isBroken(word, own)) return undefined;
  const [unitStart, unitEnd] = [places.placeOf(start), places.placeOf(end)];
  let cure = "places count Unicode code points from 0";
  if (word === places.slice(start, end + 1))
    cure = `the end is behind the last character, here ${end + 1}`;
  else if (word === places.slice(unitStart ?? 0, unitEnd ?? 0)) cure = unitsCure;
  return `it says "${shown(word)}", the text from ${start} to ${end} is "${shown(own)}"; ${cure}`;
}

function kindFault(name: string, value: unknown, expected: string): string {
  return value === undefined
    ? `${name} is missing`
    : `${name} is ${kindOf(value)}, expected ${expected}`;
}

function shown(text: string): string {
  return visible(text.slice(0, 40));
}

function overlapOf(sorted: readonly Place[]): string | undefined {
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
