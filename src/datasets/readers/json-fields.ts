/** Takes a row out of the source of one JSON value. */
import { limits } from "../../foundation/limits.ts";
import type { ExampleForms } from "../example-form.ts";
import type { Fields } from "./fields.ts";
import type { RawExample } from "./rows.ts";
import { unwrapped } from "./labelling-tools.ts";

/** What the search for its end has counted outside of the value's strings. */
export interface JsonShape {
  readonly depth: number;
  readonly colonCount: number;
  readonly commaCount: number;
}

/** The rows that are wanted. */
export interface JsonRows {
  readonly forms: ExampleForms;
  /** Whether labels, or what stands for them, are asked for. */
  readonly isLabelled: boolean;
}

/** The row that a value makes, of the form that knows it. */
export function fromJson(source: string, shape: JsonShape, wanted: JsonRows): RawExample {
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
  if (keyCount(value) < shape.colonCount) return { fault: repeatedKey(source, shape) };
  const found = unwrapped(value, wanted.isLabelled);
  if (!("fields" in found)) return found;
  const row = ofFields(found.fields, wanted);
  if (!("text" in row) || found.remarks === undefined) return row;
  return { ...row, remarks: [...found.remarks, ...(row.remarks ?? [])] };
}

function ofFields(fields: Fields, { forms, isLabelled }: JsonRows): RawExample {
  for (const form of forms.distinct) {
    const row = form.ofObject(fields, isLabelled);
    if (row !== undefined) return row;
  }
  return forms.fallback.ofObject(fields, isLabelled);
}

/** Words that other languages write where JSON has a value, up to what ends it. */
const bareWord = /(NaN|-?Infinity|None|True|False|undefined)\s*[,\]}]/g;

/**
 * The parser's own message quotes the input at a length that it chooses. What stands before a word
 * is looked at once the word is found: a pattern that looks back first would go through the same
 * white space from each of its characters.
 */
function hint(source: string): string {
  for (const { 1: bare = "", index } of source.matchAll(bareWord)) {
    if (/[:,[]$/.test(source.slice(0, index).trimEnd().slice(-1)))
      return `: ${bare} is no value in JSON`;
  }
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
