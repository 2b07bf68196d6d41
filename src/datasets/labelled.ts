/** Rows of a text and its one label. */
import { limits } from "../foundation/limits.ts";
import { kindOf, type LabelledText, textValueFault } from "./datasets.ts";
import type { ExampleForm } from "./example-form.ts";
import { fromMessages } from "./readers/chat.ts";
import { candidates, type Fields, missingFault, severalFault } from "./readers/fields.ts";
import type { RawExample, RawLabelled } from "./readers/rows.ts";

export const labelledForm: ExampleForm<RawLabelled, LabelledText> = {
  task: "text-classification",
  content: "a label",
  conflict: "under more than one label",
  labelCountMin: limits.labelCountMin,
  ofObject: labelOfObject,
  claims: (row): row is RawLabelled => "label" in row,
  checked({ text, label }, labels) {
    const fault = textValueFault(text);
    if (fault !== undefined || typeof text !== "string") return fault ?? "text is missing";
    if (label === undefined) return "label is missing";
    if (typeof label !== "string" && typeof label !== "boolean" && !Number.isSafeInteger(label))
      return labelKindFault(label);
    const known = labels.add(label as string | number | boolean); // as just checked
    return typeof known === "string" ? { text, label: known } : known.fault;
  },
  labelsOf: ({ label }) => [label],
  spelled: ({ label }) => label,
  review: () => ({ add: () => undefined, warnings: () => [] }),
};

/**
 * Fields are found by the names of `columns.ts`; where two could be the text, or the label, none is
 * taken.
 */
function labelOfObject(fields: Fields, isLabelled: boolean): RawExample {
  const chat = Object.hasOwn(fields, "messages") ? ["messages"] : [];
  const texts = [...candidates(fields, "text"), ...chat];
  const labels = isLabelled ? [...candidates(fields, "label"), ...chat] : [];
  if (texts.length > 1) return { fault: severalFault("text", texts) };
  if (labels.length > 1) return { fault: severalFault("label", labels) };
  const [[text], [label]] = [texts, labels];
  if (text === undefined) return { fault: missingFault("text", Object.keys(fields)) };
  if (text === "messages") return fromMessages(fields[text], isLabelled);
  if (!isLabelled) return { text: fields[text], fields: text };
  if (label === undefined) return { fault: missingFault("label", Object.keys(fields)) };
  const row: RawLabelled = { text: fields[text], label: fields[label] };
  return { ...row, fields: `${text} and ${label}` };
}

function labelKindFault(label: unknown): string {
  const fault = `label is ${kindOf(label)}`;
  return typeof label === "number" && !(Math.abs(label) <= Number.MAX_SAFE_INTEGER)
    ? `${fault}: write it as a string, in quotes`
    : `${fault}, expected a string, an integer or a boolean`;
}
