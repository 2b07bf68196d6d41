/** Rows of a text and its one label. */
import { kindOf, type LabelledText, textValueFault } from "./datasets.ts";
import type { ExampleForm } from "./example-form.ts";
import type { RawLabelled } from "./readers/rows.ts";

export const labelledForm: ExampleForm<RawLabelled, LabelledText> = {
  task: "text-classification",
  content: "a label",
  conflict: "under more than one label",
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
};

function labelKindFault(label: unknown): string {
  const fault = `label is ${kindOf(label)}`;
  if (Array.isArray(label) && Array.isArray(label[0]))
    return `${fault} of arrays: the places of entities stand in "entities"`;
  return typeof label === "number" && !(Math.abs(label) <= Number.MAX_SAFE_INTEGER)
    ? `${fault}: write it as a string, in quotes`
    : `${fault}, expected a string, an integer or a boolean`;
}
