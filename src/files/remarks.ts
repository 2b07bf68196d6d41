/** What the check of a file found, as one text in its row, and as remarks of kinds. */
import type { FileObject } from "../contract/files.ts";
import type { TrainingFile } from "../entities/training-file.ts";

/** Begins the last line of the text of a file of which no model can be made alone. */
const shortageStart = "too little to train a model on alone: ";

/** The text of remarks, a line each; undefined without any. */
export function remarksText(
  remarks: readonly string[],
  shortage: string | undefined,
): string | undefined {
  const lines = [...remarks, ...(shortage === undefined ? [] : [shortageStart + shortage])];
  return lines.length === 0 ? undefined : lines.join("\n");
}

/** The remarks of a file's row. */
export function remarksOn({ faultSummary }: TrainingFile): FileObject["strata"]["remarks"] {
  const lines = faultSummary === undefined ? [] : faultSummary.split("\n");
  return lines.map((message) => ({
    kind: message.startsWith(shortageStart) ? "shortage" : "rows",
    message,
  }));
}
