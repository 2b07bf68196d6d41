/**
 * Rows as the tools write them with which people label: what a tool wraps around a text and its
 * entities, or its label, is taken off. Sources: spaCy's training data of version 2, Prodigy's
 * `db-out`, Label Studio's export as JSON.
 */
import { visible } from "../../foundation/visible.ts";
import { candidates, type Fields, isArray, isFields, textField } from "./fields.ts";

/** The fields that a row means, or why it means none. */
export type Unwrapped =
  | { readonly fields: Fields; readonly remarks?: readonly string[] }
  | { readonly fault: string }
  | { readonly skipped: string };

/** What a JSON value means; where labels are not asked for, what nobody has judged is read, too. */
export function unwrapped(value: unknown, isLabelled: boolean): Unwrapped {
  if (isArray(value)) return fromPair(value);
  if (!isFields(value)) return { fault: "line is not a JSON object" };
  const results = annotationNames.find((name) => isArray(value[name]));
  if (results !== undefined && isFields(value["data"]))
    return fromTask(value["data"], value[results], isLabelled);
  if (isArray(value["paragraphs"]) && candidates(value, "text").length === 0)
    return { fault: paragraphsFault };
  if (results !== undefined && candidates(value, "text").length === 0)
    return { fault: `rows may stand in "${results}": give that array alone as the file` };
  return isLabelled ? judged(value) : { fields: value };
}

const paragraphsFault =
  "it has paragraphs, as spaCy's docs_to_json writes them: write what Doc.to_json gives, a line " +
  "for each document";

/** The names of all that annotators have made of a task, in newer and in older exports. */
const annotationNames = ["annotations", "completions"] as const;

/** `[text, {"entities": …}]` of spaCy. */
function fromPair(value: readonly unknown[]): Unwrapped {
  const [text, marks, ...rest] = value;
  return typeof text === "string" && isFields(marks) && rest.length === 0
    ? { fields: { ...marks, text } }
    : { fault: 'line is not a JSON object, nor a pair [text, {"entities": …}]' };
}

const refusedRemark =
  'the row has "answer": "reject" or "ignore", as Prodigy writes it, and is left out; without ' +
  "that field it is learned from";
const singleRemark =
  'the row has "_view_id": "ner", where Prodigy asks about one entity at a time: what else is in ' +
  "the text is learned as no entity";

/** A row of Prodigy, or of nobody's: what was refused there is no example. */
function judged(fields: Fields): Unwrapped {
  const { answer } = fields;
  if (answer === "reject" || answer === "ignore") return { skipped: refusedRemark };
  return fields["_view_id"] === "ner" ? { fields, remarks: [singleRemark] } : { fields };
}

/** A task of Label Studio, whose text stands in `data`; one annotation says what is right. */
function fromTask(data: Fields, annotations: unknown, isLabelled: boolean): Unwrapped {
  const found = textField(data);
  if ("fault" in found) return { fault: `in "data", ${found.fault}` };
  const text = data[found.name];
  if (!isLabelled) return { fields: { text } };
  const valid = isArray(annotations) ? annotations.filter(isFields).filter(isMeant) : [];
  const [annotation, ...others] = valid;
  if (annotation === undefined)
    return { skipped: "the task has no annotation that was not cancelled, and is left out" };
  if (others.length > 0)
    return { fault: `the task has ${valid.length} annotations: expected the one that is right` };
  const results = isArray(annotation["result"]) ? annotation["result"].filter(isFields) : [];
  return fromResults(text, results);
}

function isMeant({ was_cancelled: wasCancelled }: Fields): boolean {
  return wasCancelled !== true;
}

/** One choice is the text's label; regions with labels are entities. */
function fromResults(text: unknown, results: readonly Fields[]): Unwrapped {
  const other = results.find(({ type }) => !resultTypes.has(type));
  if (other !== undefined)
    return { fault: `the annotation has a result of type ${shownType(other)}, not "labels"` };
  const choices = valuesOf(results, "choices").flatMap(({ choices: chosen }) =>
    isArray(chosen) ? chosen : [],
  );
  const entities = valuesOf(results, "labels");
  const remarks = results.some(({ type }) => type === "relation") ? [relationRemark] : [];
  if (choices.length === 0) return { fields: { text, entities }, remarks };
  if (entities.length > 0) return { fault: "the annotation has choices and labels of regions" };
  return choices.length === 1
    ? { fields: { text, label: choices[0] }, remarks }
    : { fault: `the annotation has ${choices.length} choices: expected one` };
}

const resultTypes: ReadonlySet<unknown> = new Set(["labels", "choices", "relation"]);
const relationRemark = "relations between entities are left out";

function valuesOf(results: readonly Fields[], type: string): readonly Fields[] {
  return results
    .filter((result) => result["type"] === type)
    .map(({ value }) => (isFields(value) ? value : {}));
}

function shownType({ type }: Fields): string {
  return typeof type === "string" ? `"${visible(type.slice(0, 40))}"` : "that is missing";
}
