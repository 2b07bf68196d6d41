/**
 * The shapes in which JSON objects mark entities: by places in a text, by a tag for each token, and
 * by spans of tokens. Sources: what spaCy, Prodigy, doccano, Label Studio, GLiNER and data sets of
 * Hugging Face write.
 */
import { fromTags, fromTokenSpans, textOfTokens } from "../tokens.ts";
import { candidates, type Fields, isArray, isFields, severalFault, textField } from "./fields.ts";
import { type RawExample, type RawMarked, unmarkedRemark } from "./rows.ts";

/** The names by which files call tokens, their tags, and the entities of a text. */
const tokenNames = ["tokens", "words"] as const;
const tagNames = ["tags", "ner_tags", "labels"] as const;
const entityNames = ["entities", "spans", "ents"] as const;
/** Fields that may hold labels of texts as well as entities. */
const placeNames = ["label", "labels", "annotations", "annotation"] as const;

/** GLiNER's tokens, and its spans of them. */
const [spannedName, spansName] = ["tokenized_text", "ner"];

/** The row of an object that marks entities; undefined for any other. */
export function entitiesOfObject(fields: Fields, isLabelled: boolean): RawExample | undefined {
  if (isArray(fields[spannedName])) return fromSpanned(fields, isLabelled);
  const tokens = tokenNames.find((name) => isArray(fields[name]));
  const places = isLabelled ? placesIn(fields) : undefined;
  const hasText = candidates(fields, "text").length > 0;
  if (tokens !== undefined && !(hasText && (places !== undefined || isDetailed(fields[tokens]))))
    return fromTagged(fields, tokens, isLabelled);
  return places === undefined ? undefined : fromPlaces(fields, places);
}

/** Whether tokens are objects that tell where they stand in the text, as Prodigy's. */
function isDetailed(tokens: unknown): boolean {
  return isArray(tokens) && isFields(tokens[0]);
}

/** The field of a row's entities. A null yields to a label. */
function placesIn(fields: Fields): string | undefined {
  const lists = entityNames.filter((name) => isArray(fields[name]));
  const full = lists.find((name) => !isEmpty(fields[name]));
  const filled = full ?? lists[0] ?? entityNames.find((name) => fields[name] != null);
  if (filled !== undefined) return filled;
  const places = placeNames.find((name) => arePlaces(fields[name]));
  const hasLabel = candidates(fields, "label").some(
    (name) => fields[name] !== null && name !== places,
  );
  if (hasLabel) return undefined;
  return places ?? entityNames.find((name) => Object.hasOwn(fields, name));
}

/** Whether a value is a list of entities: empty, or of triples or objects that have a place. */
function arePlaces(value: unknown): boolean {
  if (!isArray(value)) return false;
  const [first] = value;
  if (isArray(first) || value.length === 0) return true;
  return isFields(first) && startNames.some((name) => Object.hasOwn(first, name));
}

export const startNames = ["start", "start_offset"] as const;
/** The names of an entity's text, where files repeat it. */
export const wordNames = ["word", "text"] as const;

/** Whether an entity repeats its text, so that its places are checked by it. */
export function repeatsText(entity: unknown): boolean {
  return isFields(entity) && wordNames.some((name) => typeof entity[name] === "string");
}

/**
 * The entities that the text of a cell means, which is a list of them as JSON, as in Label Studio's
 * CSV; undefined for any other text.
 */
export function entitiesInCell(cell: string): readonly unknown[] | undefined {
  if (!/^\s*\[\s*[[{\]]/.test(cell)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(cell);
  } catch {
    return undefined;
  }
  return isArray(value) && value.every((item) => arePlaces([item])) ? value : undefined;
}

function fromSpanned(fields: Fields, isLabelled: boolean): RawExample {
  const tokens = fields[spannedName];
  if (!isLabelled) return textOfTokens(tokens);
  return fromTokenSpans(tokens, fields[spansName], `${spannedName} and ${spansName}`);
}

function fromTagged(fields: Fields, tokens: string, isLabelled: boolean): RawExample {
  if (!isLabelled) return textOfTokens(fields[tokens]);
  const otherTokens = tokenNames.filter((name) => isArray(fields[name]));
  if (otherTokens.length > 1) return { fault: severalFault("tokens", otherTokens) };
  const filled = tagNames.filter((name) => fields[name] != null);
  if (filled.length > 1) return { fault: severalFault("tags", filled) };
  const [tags] = filled;
  if (tags !== undefined) {
    const row = fromTags(fields[tokens], fields[tags], `${tokens} and ${tags}`);
    if ("fault" in row) return row;
    const texts = candidates(fields, "text").filter(
      (name) => fields[name] !== null && fields[name] !== row.text,
    );
    const joined = `"${tokens}", joined by single spaces, are the text`;
    const remarks = texts.map((name) => `"${name}" is left out: ${joined}`);
    return { ...row, remarks: [...remarks, ...leftOut(fields, tags)] };
  }
  const expected = tagNames.map((name) => `"${name}"`).join(", ");
  return { fault: `tags are missing: expected one of ${expected} beside "${tokens}"` };
}

const refusedRemark =
  'an entity has "answer": "reject" or "ignore", as Prodigy writes it, and is none here';

function fromPlaces(fields: Fields, places: string): RawExample {
  const found = textField(fields);
  if ("fault" in found) return found;
  const all = fields[places];
  if (all === null) {
    const bare = { text: fields[found.name], remarks: [unmarkedRemark] };
    return { fault: `${places} is null, expected an array`, bare };
  }
  // No label and no entity are written alike.
  if (!isOwnName(places) && isEmpty(all))
    return { fault: `${places} is an empty array`, bare: { text: fields[found.name] } };
  const rivals = [...entityNames, ...placeNames].filter((name) => {
    const value = fields[name];
    return isArray(value) && !isEmpty(value) && (isOwnName(name) || arePlaces(value));
  });
  if (rivals.length > 1) return { fault: severalFault("entities", rivals) };
  const entities = isArray(all) ? all.filter((entity) => !isRefused(entity)) : all;
  const isShorter = isArray(all) && isArray(entities) && entities.length < all.length;
  const names = `${found.name} and ${places}`;
  const remarks = [...leftOut(fields, places), ...(isShorter ? [refusedRemark] : [])];
  const row: RawMarked = { text: fields[found.name], entities, fields: names };
  return remarks.length === 0 ? row : { ...row, remarks };
}

function isOwnName(name: string): boolean {
  return entityNames.some((own) => own === name);
}

/** A word for each label of the whole text beside what marks its parts. */
function leftOut(fields: Fields, marks: string): readonly string[] {
  const labels = [...candidates(fields, "label"), "cats"].filter((name) => {
    const value = fields[name];
    return name !== marks && value != null && !arePlaces(value) && !isEmpty(value);
  });
  return labels.map((name) => `"${name}" is left out: "${marks}" stands beside it and is learned`);
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function isRefused(entity: unknown): boolean {
  return isFields(entity) && (entity["answer"] === "reject" || entity["answer"] === "ignore");
}
