/**
 * What may be embedded or classified. The check is one pass by hand that stops at the first fault:
 * a schema would try every alternative on every element of an array of thousands.
 */
import { z } from "@hono/zod-openapi";
import { limits } from "../foundation/limits.ts";
import { unstorableText } from "../foundation/visible.ts";

export type TextInput = string | string[];
export type TokenInput = number[] | number[][];

interface Fault {
  readonly path: readonly number[];
  readonly message: string;
}

const tokenIdMax = 2 ** 31 - 1;

const textForms = [
  { type: "string", minLength: 1, maxLength: limits.inputCharactersMax },
  {
    type: "array",
    minItems: 1,
    maxItems: limits.inputCountMax,
    items: { type: "string", minLength: 1, maxLength: limits.inputCharactersMax },
  },
] as const;

const idForm = { type: "integer", minimum: 0, maximum: tokenIdMax } as const;

const idsForm = {
  type: "array",
  minItems: 1,
  maxItems: limits.requestTokensMax,
  items: idForm,
} as const;

const tokenForms = [
  idsForm,
  { type: "array", minItems: 1, maxItems: limits.inputCountMax, items: idsForm },
] as const;

/** A text, or several. */
export const textInputSchema = z
  .custom<TextInput>()
  .superRefine((value, context) => report(context, textsFault(value)))
  .openapi({ type: ["string", "array"], anyOf: [...textForms] });

/** Texts, or token ids that the caller has made. */
export const embedInputSchema = z
  .custom<TextInput | TokenInput>()
  .superRefine((value, context) => report(context, embedFault(value)))
  .openapi({ type: ["string", "array"], anyOf: [...textForms, ...tokenForms] });

function report(context: z.RefinementCtx, fault: Fault | undefined): void {
  if (fault === undefined) return;
  context.addIssue({ code: "custom", path: [...fault.path], message: fault.message });
}

function embedFault(value: unknown): Fault | undefined {
  if (!Array.isArray(value)) return textsFault(value);
  const first: unknown = value[0];
  if (typeof first === "number") return tokensFault(value, []);
  return Array.isArray(first) ? tokenListsFault(value) : textsFault(value);
}

function textsFault(value: unknown): Fault | undefined {
  if (typeof value === "string") return textFault(value, []);
  if (!Array.isArray(value)) return fault([], "expected a string or an array of strings");
  const elements: readonly unknown[] = value;
  const length = countFault(elements);
  if (length !== undefined) return length;
  let characters = 0;
  for (const [index, text] of elements.entries()) {
    if (typeof text !== "string") return fault([index], `expected a string, got ${nameOf(text)}`);
    const found = textFault(text, [index]);
    if (found !== undefined) return found;
    characters += text.length;
  }
  if (characters > limits.requestCharactersMax)
    return fault([], `expected at most ${limits.requestCharactersMax} characters in all`);
  return undefined;
}

function textFault(text: string, path: readonly number[]): Fault | undefined {
  if (text.length === 0) return fault(path, "expected a text, got an empty one");
  const expected = `expected at most ${limits.inputCharactersMax} characters`;
  if (text.length > limits.inputCharactersMax)
    return fault(path, `${expected}, got ${text.length}`);
  // As in training.
  if (unstorableText.test(text)) return fault(path, "text holds a NUL or a lone surrogate");
  return undefined;
}

function tokenListsFault(lists: readonly unknown[]): Fault | undefined {
  const length = countFault(lists);
  if (length !== undefined) return length;
  let tokens = 0;
  for (const [index, list] of lists.entries()) {
    if (!Array.isArray(list)) return fault([index], `expected token ids, got ${nameOf(list)}`);
    tokens += list.length;
    if (tokens > limits.requestTokensMax)
      return fault([], `expected at most ${limits.requestTokensMax} tokens in all`);
    const found = tokensFault(list, [index]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function tokensFault(ids: readonly unknown[], path: readonly number[]): Fault | undefined {
  if (ids.length === 0) return fault(path, "expected token ids, got an empty array");
  if (ids.length > limits.requestTokensMax)
    return fault(path, `expected at most ${limits.requestTokensMax} tokens, got ${ids.length}`);
  const isId = (id: unknown): boolean =>
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= tokenIdMax;
  const index = ids.findIndex((id) => !isId(id));
  if (index === -1) return undefined;
  return fault([...path, index], `expected a token id, got ${nameOf(ids[index])}`);
}

function countFault(elements: readonly unknown[]): Fault | undefined {
  if (elements.length > 0 && elements.length <= limits.inputCountMax) return undefined;
  return fault([], `expected 1 to ${limits.inputCountMax} elements, got ${elements.length}`);
}

function fault(path: readonly number[], message: string): Fault {
  return { path, message };
}

/** A number itself, of all else the kind: what was sent may be long. */
function nameOf(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}

/** Whether it is one text, or the ids of one, and no list of them. */
export function isSingle(input: TextInput | TokenInput): boolean {
  return typeof input === "string" || typeof input[0] === "number";
}
