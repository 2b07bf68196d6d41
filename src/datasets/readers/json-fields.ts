/** Takes text and label, or text and entities, out of the source of one JSON value. */
import { limits } from "../../foundation/limits.ts";
import { fromMessages } from "./chat.ts";
import { roleNames, roleOf, shownNames } from "./columns.ts";
import { fromTokens, textOfTokens } from "../marked.ts";
import type { RawExample } from "./rows.ts";

/** What the search for its end has counted outside of the value's strings. */
export interface JsonShape {
  readonly depth: number;
  readonly colonCount: number;
  readonly commaCount: number;
}

/**
 * The row that an object makes. Fields are found by the names of `columns.ts`; where two could be
 * the text, or the label, none is taken.
 */
export function fromJson(source: string, shape: JsonShape, isLabelled: boolean): RawExample {
  if (shape.depth > limits.jsonDepthMax)
    return { fault: `line is nested deeper than the limit of ${limits.jsonDepthMax}` };
  if (shape.colonCount + shape.commaCount > limits.trainingRowValueCountMax)
    return { fault: `line has more values than the limit of ${limits.trainingRowValueCountMax}` };
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    return { fault: `line is not valid JSON${hint(source)}` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { fault: "line is not a JSON object" };
  if (keyCount(value) < shape.colonCount) return { fault: repeatedKey(source, shape) };
  return fromObject(value as Record<string, unknown>, isLabelled); // an object's fields are unknown
}

/** The parser's own message quotes the input at a length that it chooses. */
function hint(source: string): string {
  const [bare] = /(?<=[:,[]\s*)(NaN|-?Infinity|None|True|False|undefined)(?=\s*[,\]}])/.exec(
    source,
  ) ?? [""];
  if (bare !== "") return `: ${bare} is no value in JSON`;
  return /^\{\s*'/.test(source) ? ": it has single quotes where JSON has double ones" : "";
}

/**
 * Counts the keys of a value and of all that it holds: an object that repeats a key has fewer than
 * its colons.
 */
function keyCount(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const parts: readonly unknown[] = Object.values(value);
  let count = Array.isArray(value) ? 0 : parts.length;
  for (const part of parts) count += keyCount(part);
  return count;
}

function repeatedKey(source: string, { depth }: JsonShape): string {
  const seen = new Set<string>();
  for (const [, key = "", colon] of source.matchAll(/"((?:[^"\\]|\\.)*)"(\s*:)?/g)) {
    if (colon === undefined) continue;
    // In nested objects the same key stands rightly in several.
    if (depth === 1 && seen.has(key)) return `the key "${key.slice(0, 40)}" stands twice`;
    seen.add(key);
  }
  return "a key stands twice in the same object";
}

function fromObject(value: Readonly<Record<string, unknown>>, isLabelled: boolean): RawExample {
  const keys = Object.keys(value);
  const tokens = tokenNames.find((name) => Array.isArray(value[name]));
  if (tokens !== undefined) return fromTagged(value, tokens, isLabelled);
  const entities = isLabelled ? entitiesOf(value) : undefined;
  if (entities !== undefined) return fromMarked(value, entities);
  const chat = keys.includes("messages") ? ["messages"] : [];
  const texts = [...candidates(value, "text"), ...chat];
  const labels = isLabelled ? [...candidates(value, "label"), ...chat] : [];
  if (texts.length > 1) return { fault: severalFault("text", texts) };
  if (labels.length > 1) return { fault: severalFault("label", labels) };
  const [[text], [label]] = [texts, labels];
  if (text === undefined) return { fault: missingFault("text", keys) };
  if (text === "messages") return fromMessages(value[text], isLabelled);
  if (!isLabelled) return { text: value[text], label: undefined, fields: text };
  if (label === undefined) return { fault: missingFault("label", keys) };
  return { text: value[text], label: value[label], fields: `${text} and ${label}` };
}

/** The names by which files call tokens, their tags, and the entities of a text. */
const tokenNames = ["tokens", "words"] as const;
const tagNames = ["tags", "ner_tags", "labels"] as const;
const entityNames = ["entities", "spans"] as const;

/** The field of a row's entities. A null yields to a label. */
function entitiesOf(value: Readonly<Record<string, unknown>>): string | undefined {
  const filled = entityNames.find((name) => value[name] != null);
  const hasLabel = candidates(value, "label").some((name) => value[name] !== null);
  return filled ?? (hasLabel ? undefined : entityNames.find((name) => Object.hasOwn(value, name)));
}

function fromTagged(
  value: Readonly<Record<string, unknown>>,
  tokens: string,
  isLabelled: boolean,
): RawExample {
  if (!isLabelled) return textOfTokens(value[tokens]);
  const tags = tagNames.find((name) => value[name] != null);
  if (tags !== undefined) return fromTokens(value[tokens], value[tags], `${tokens} and ${tags}`);
  const expected = tagNames.map((name) => `"${name}"`).join(", ");
  return { fault: `tags are missing: expected one of ${expected} beside "${tokens}"` };
}

function fromMarked(value: Readonly<Record<string, unknown>>, entities: string): RawExample {
  const texts = candidates(value, "text");
  if (texts.length > 1) return { fault: severalFault("text", texts) };
  const [text] = texts;
  if (text === undefined) return { fault: missingFault("text", Object.keys(value)) };
  return { text: value[text], entities: value[entities], fields: `${text} and ${entities}` };
}

/** The fields of a role. A null yields to a value. */
function candidates(
  value: Readonly<Record<string, unknown>>,
  role: "text" | "label",
): readonly string[] {
  const named = Object.keys(value).filter((key) => roleOf(key) === role);
  const filled = named.filter((key) => value[key] !== null);
  return filled.length === 0 ? named.slice(0, 1) : filled;
}

function missingFault(role: "text" | "label", keys: readonly string[]): string {
  const found = keys.length === 0 ? "no field" : shownNames(keys);
  const expected = `expected one of ${roleNames[role]}, or chat in "messages"`;
  return `${role} is missing: ${expected}; found ${found}`;
}

function severalFault(role: string, names: readonly string[]): string {
  return `${names.map((name) => `"${name}"`).join(" and ")} could both be the ${role}`;
}
