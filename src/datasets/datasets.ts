/** Labelled texts for training: reading, checking, splitting, measuring. Pure. */
import { unstorableText } from "../entities/virtual-model.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";

export interface Example {
  readonly text: string;
  readonly label: string;
}

/** A line that could not be used, and why. */
export interface LineFault {
  /** Counted from 1, as an editor shows it. */
  readonly line: number;
  readonly reason: string;
}

export interface Dataset {
  readonly examples: readonly Example[];
  /** Distinct labels in code-point order. */
  readonly labels: readonly string[];
  /** At most `limits.reportedLineErrorCountMax`; `faultCount` counts all. */
  readonly faults: readonly LineFault[];
  readonly faultCount: number;
}

/** Why `text` cannot be an example's text, or undefined when it can. */
export function textFault(text: string): string | undefined {
  if (text.length > limits.inputCharactersMax)
    return `text has ${text.length} characters, the limit is ${limits.inputCharactersMax}`;
  if (unstorableText.test(text)) return "text holds a NUL or a lone surrogate";
  if (text.trim() === "") return "text is empty";
  return undefined;
}

/** INVALID_ARGUMENT when a classifier cannot be trained on the examples. Ignores faults. */
export function checkTrainable(dataset: Dataset): void {
  const { labelCountMin, labelCountMax, trainingLabelExampleCountMin } = limits;
  const { labels } = dataset;
  if (labels.length < labelCountMin)
    refuse(`expected at least ${labelCountMin} labels, got ${labels.length}${named(labels)}`);
  if (labels.length > labelCountMax)
    refuse(`expected at most ${labelCountMax} labels, got ${labels.length}`);
  const counts = new Map<string, number>();
  for (const { label } of dataset.examples) counts.set(label, (counts.get(label) ?? 0) + 1);
  for (const [label, count] of counts) {
    if (count >= trainingLabelExampleCountMin) continue;
    const least = `at least ${trainingLabelExampleCountMin} examples of each label`;
    refuse(`expected ${least}, got ${count} of "${label}"`);
  }
}

function named(labels: readonly string[]): string {
  return labels.length === 0 ? "" : ` ("${labels.join('", "')}")`;
}

function refuse(state: string): never {
  throw new StrataError("INVALID_ARGUMENT", `Cannot train on the data: ${state}`, {
    field: "training_file",
  });
}
