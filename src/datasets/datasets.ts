/** Texts to learn from, and what is right to say of them: read, checked, split, measured. */
import type { TaskName } from "../foundation/kind-names.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { type RowPlace, shownPlaces } from "./line-count.ts";
import { unstorableText, visible } from "../foundation/visible.ts";

/** What a model of some kind of task learns from: a text, and what its form knows beside it. */
export interface Example {
  readonly text: string;
}

/** A text and its one label. */
export interface LabelledText extends Example {
  readonly label: string;
}

/** A text and the entities that are marked in it, in their order; they do not overlap. */
export interface MarkedText extends Example {
  readonly entities: readonly Entity[];
}

/** A part of a text with its label: code points from `start` to before `end`; see `CodePoints`. */
export interface Entity {
  readonly start: number;
  readonly end: number;
  readonly label: string;
}

/** A line that could not be used, and why. */
export interface LineFault extends RowPlace {
  readonly reason: string;
}

export interface Dataset {
  /** The kind of task that the file's rows are examples of. */
  readonly task: TaskName;
  readonly examples: readonly Example[];
  /** The line at which each example begins. */
  readonly lines: readonly number[];
  /** Distinct labels in code-point order. */
  readonly labels: readonly string[];
  /** How many examples, or entities, each label has. */
  readonly labelCounts: readonly number[];
  /** Why no model can be trained on these examples alone, or undefined when one can. */
  readonly shortage: string | undefined;
  /** There are at most `limits.reportedLineErrorCountMax`; `faultCount` counts all. */
  readonly faults: readonly LineFault[];
  readonly faultCount: number;
  /** What the user may not have meant, in sentences; all examples are there nevertheless. */
  readonly warnings: readonly string[];
}

/** Why `text` cannot be an example's text, or undefined when it can. */
export function textFault(text: string): string | undefined {
  if (text.length > limits.inputCharactersMax)
    return `text has ${text.length} characters, the limit is ${limits.inputCharactersMax}`;
  if (unstorableText.test(text)) return "text holds a NUL or a lone surrogate";
  if (text.trim() === "") return "text is empty";
  return undefined;
}

/** Why `value` cannot be an example's text, or undefined when it can. */
export function textValueFault(value: unknown): string | undefined {
  if (value === undefined) return "text is missing";
  return typeof value === "string"
    ? textFault(value)
    : `text is ${kindOf(value)}, expected a string`;
}

export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (Number.isSafeInteger(value)) return "an integer";
  if (Number.isInteger(value)) return "an integer too large to be kept exactly";
  if (typeof value === "number")
    return Number.isFinite(value) ? "a number that is no integer" : "a number too large to be kept";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** INVALID_ARGUMENT when no line of the file can be used, with what is wrong with them. */
export function checkUsable(
  {
    examples,
    warnings,
    ...lines
  }: Pick<Dataset, "examples" | "faults" | "faultCount" | "warnings">,
  { filename, field }: { readonly filename: string; readonly field: string },
): void {
  if (examples.length > 0) return;
  // A warning may say why rows were left out.
  const state = faultSummary(lines, 0) ?? warnings[0] ?? "it is empty";
  throw new StrataError("INVALID_ARGUMENT", `Cannot train on "${filename}": ${state}`, { field });
}

/** INVALID_ARGUMENT when no model can be trained on the examples. Ignores faults. */
export function checkTrainable({ shortage }: Pick<Dataset, "shortage">): void {
  if (shortage === undefined) return;
  throw new StrataError("INVALID_ARGUMENT", `Cannot train on the data: ${shortage}`, {
    field: "training_file",
  });
}

/** Why no model can be trained on examples of these labels, or undefined when one can. */
export function shortageOf(
  { labels, labelCounts }: Pick<Dataset, "labels" | "labelCounts">,
  countMin: number,
): string | undefined {
  const { labelCountMax, trainingLabelExampleCountMin } = limits;
  if (labels.length < countMin) {
    const wanted = countMin === 1 ? "1 label" : `${countMin} labels`;
    return `expected at least ${wanted}, got ${labels.length}${named(labels)}`;
  }
  if (labels.length > labelCountMax)
    return `expected at most ${labelCountMax} labels, got ${labels.length}`;
  const rare = labels.flatMap((label, index) => {
    const count = labelCounts[index] ?? 0;
    return count < trainingLabelExampleCountMin ? [`${count} of "${visible(label)}"`] : [];
  });
  if (rare.length === 0) return undefined;
  const told = rare.slice(0, limits.reportedLineErrorCountMax).join(", ");
  const rest = rare.length - limits.reportedLineErrorCountMax;
  const least = `expected at least ${trainingLabelExampleCountMin} examples of each label`;
  return `${least}, got ${told}${rest > 0 ? ` and too few of ${rest} more` : ""}`;
}

/** What is wrong with some rows, in one sentence; undefined when all can be used. */
export function faultSummary(
  { faults, faultCount }: Pick<Dataset, "faults" | "faultCount">,
  usableCount: number,
): string | undefined {
  if (faultCount === 0) return undefined;
  const told = byReason(faults).map(({ reason, places }) => `${shownPlaces(places)}: ${reason}`);
  const rest = faultCount - faults.length;
  if (rest > 0) told.push(`and ${rest} more`);
  return `${faultCount} of ${faultCount + usableCount} rows cannot be used: ${told.join("; ")}`;
}

/** The places of each reason, in the order of the first ones. */
function byReason(
  faults: readonly LineFault[],
): readonly { readonly reason: string; readonly places: readonly RowPlace[] }[] {
  const groups = new Map<string, RowPlace[]>();
  for (const fault of faults) {
    const places = groups.get(fault.reason);
    if (places === undefined) groups.set(fault.reason, [fault]);
    else places.push(fault);
  }
  return [...groups].map(([reason, places]) => ({ reason, places }));
}

function named(labels: readonly string[]): string {
  return labels.length === 0 ? "" : ` ("${labels.map(visible).join('", "')}")`;
}
