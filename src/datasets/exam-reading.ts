/** Files as tests read them: with the forms of this folder. */
import assert from "node:assert/strict";
import type { Dataset, LabelledText, MarkedText } from "./datasets.ts";
import { labelledForm } from "./labelled.ts";
import { markedForm } from "./marked.ts";
import * as reading from "./read.ts";
import type { ReadOptions } from "./readers/source.ts";
import type { Texts } from "./texts.ts";

/** Both forms of this folder. */
export const forms = { distinct: [markedForm], fallback: labelledForm };

type Chunks = AsyncIterable<Uint8Array>;

export function readDataset(chunks: Chunks, options: ReadOptions): Promise<Dataset> {
  return reading.readDataset(chunks, { ...options, forms });
}

export function readTexts(chunks: Chunks, options: ReadOptions): Promise<Texts> {
  return reading.readTexts(chunks, { ...options, forms });
}

/** The examples of a file without entities. */
export function labelledOf({ task, examples }: Dataset): readonly LabelledText[] {
  assert.equal(task, labelledForm.task);
  return examples as readonly LabelledText[]; // its form has made all examples
}

/** The examples of a file with entities. */
export function markedOf({ task, examples }: Dataset): readonly MarkedText[] {
  assert.equal(task, markedForm.task);
  return examples as readonly MarkedText[]; // its form has made all examples
}
