/** Rows of a text and its one label. */
import { limits } from "../foundation/limits.ts";
import { kindOf, type LabelledText, textValueFault } from "./datasets.ts";
import type { FallbackForm, FormReview, ReadRow } from "./example-form.ts";
import { LineCount } from "./line-count.ts";
import { fromMessages } from "./readers/chat.ts";
import { candidates, type Fields, isArray, missingFault, severalFault } from "./readers/fields.ts";
import { type RawExample, type RawLabelled, type RawText, unmarkedRemark } from "./readers/rows.ts";

export const labelledForm: FallbackForm<RawLabelled, LabelledText> = {
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
    // Where several could be given there is a list, as in doccano.
    const one: unknown = isArray(label) && label.length === 1 ? label[0] : label;
    if (typeof one !== "string" && typeof one !== "boolean" && !Number.isSafeInteger(one))
      return labelKindFault(one);
    const known = labels.add(one as string | number | boolean); // as just checked
    return typeof known === "string" ? { text, label: known } : known.fault;
  },
  labelsOf: ({ label }) => [label],
  spelled: ({ label }) => label,
  review: () => new LabelReview(),
};

/** A list or an object as JSON or Python writes it. */
const listText = /^(?:\[\s*[[{"'\d\]]|\{\s*["'}])[^]*[\]}]$/;

/** Counts labels that are texts of what would be several labels, or entities. */
class LabelReview implements FormReview<RawLabelled, LabelledText> {
  readonly #lists = new LineCount();

  add({ example, ...place }: ReadRow<RawLabelled, LabelledText>): void {
    if (listText.test(example.label)) this.#lists.add(place);
  }

  warnings(): readonly string[] {
    if (this.#lists.count === 0) return [];
    return [
      `${this.#lists.of("label is the text", "labels are texts")} of a list or an object ` +
        `(${this.#lists.lines}), taken as a label as it stands: if it means entities or several ` +
        "labels, export the file as JSON",
    ];
  }
}

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
  const bare: RawText = { text: fields[text], remarks: [unmarkedRemark] };
  if (label === undefined) return { fault: missingFault("label", Object.keys(fields)), bare };
  if (fields[label] === null) return { fault: labelKindFault(null), bare };
  const row: RawLabelled = { text: fields[text], label: fields[label] };
  return { ...row, fields: `${text} and ${label}` };
}

function labelKindFault(label: unknown): string {
  if (isArray(label) && label.every((one) => typeof one === "string"))
    return `label is an array of ${label.length} labels: one label is expected for each text`;
  const fault = `label is ${kindOf(label)}`;
  return typeof label === "number" && !(Math.abs(label) <= Number.MAX_SAFE_INTEGER)
    ? `${fault}: write it as a string, in quotes`
    : `${fault}, expected a string, an integer or a boolean`;
}
