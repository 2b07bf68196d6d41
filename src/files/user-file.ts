/** The one way in which a user's file is read, wherever it lies and whatever it is read for. */
import { checkUsable, type Dataset } from "../datasets/datasets.ts";
import { readDataset, readTexts } from "../datasets/read.ts";
import type { ReadOptions } from "../datasets/readers/source.ts";
import type { Texts } from "../datasets/texts.ts";
import { exampleForms } from "../tasks/task-kinds.ts";

/** Bytes, and what is known of them before they are read. */
export interface UserFile extends ReadOptions {
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * What a model can learn from the file, with the lines that cannot be used and what its user may
 * not have meant. INVALID_ARGUMENT, which blames `field`, when no line can be used, CORRUPT when
 * the stored bytes are not the ones that were uploaded.
 */
export async function readExamples({
  chunks,
  ...options
}: UserFile & { readonly field: string }): Promise<Dataset> {
  const dataset = await readDataset(chunks, { ...options, forms: exampleForms });
  checkUsable(dataset, options);
  return dataset;
}

/** The texts of the file, labels or none; INVALID_ARGUMENT when a line cannot be used. */
export function readInputs({ chunks, ...options }: UserFile): Promise<Texts> {
  return readTexts(chunks, { ...options, forms: exampleForms });
}
