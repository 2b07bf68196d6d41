/** From an uploaded file to tokenised, split examples. */
import type { Tokenizer } from "../checkpoints/checkpoints.ts";
import { checkTrainable, type Dataset, type Example } from "../datasets/datasets.ts";
import { readDataset } from "../datasets/read.ts";
import { splitExamples } from "../datasets/split.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Store } from "../storage/storage.ts";
import type { Sequences } from "./sequences.ts";

export interface TrainingExamples {
  readonly train: Sequences;
  readonly dev: Sequences;
  readonly labels: readonly string[];
  /** What the user should know of the files, in sentences: lines left out, and warnings. */
  readonly complaints: readonly string[];
}

const devShare = 0.15;
/**
 * The split depends on the data alone, not on a job's seed: a later job then compares with an
 * earlier version on examples that neither has seen.
 */
const splitSeed = 0;

export interface ExampleOptions {
  readonly trainingFile: string;
  readonly validationFile: string | undefined;
  readonly tokenizer: Tokenizer;
  /** Labels of an existing model, which stay in front; the data may bring more. */
  readonly labels: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** INVALID_ARGUMENT when the data cannot train a model, with the reason. */
export async function loadExamples(
  store: Store,
  options: ExampleOptions,
): Promise<TrainingExamples> {
  const { tokenizer, trainingFile, validationFile, signal } = options;
  const read = (id: string, field: string): Promise<Dataset> =>
    readFile(store, { id, field, signal });
  const dataset = await read(trainingFile, "training_file");
  checkTrainable(dataset);
  const labels = grown(options.labels ?? [], dataset.labels);
  const validation =
    validationFile === undefined ? undefined : await read(validationFile, "validation_file");
  const [train, dev] =
    validation === undefined
      ? splitInTwo(dataset.examples)
      : [dataset.examples, validation.examples];
  return {
    train: await tokenize(tokenizer, { examples: train, labels, field: "training_file" }),
    dev: await tokenize(tokenizer, { examples: dev, labels, field: "validation_file" }),
    labels,
    complaints: [
      ...complaintsOf(dataset, "training_file"),
      ...(validation === undefined ? [] : complaintsOf(validation, "validation_file")),
    ],
  };
}

/** The model's labels keep their places, so that a version says the same of them as before. */
function grown(known: readonly string[], found: readonly string[]): readonly string[] {
  const labels = [...new Set([...known, ...found])];
  if (labels.length <= limits.labelCountMax) return labels;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot train: the model's ${known.length} labels and the file's make ${labels.length}, ` +
      `the limit is ${limits.labelCountMax}`,
    { field: "training_file" },
  );
}

function complaintsOf({ faults, faultCount, warnings }: Dataset, field: string): readonly string[] {
  const told = warnings.map((warning) => `${field}: ${warning}`);
  if (faultCount === 0) return told;
  const lines = faults.map(({ line, reason }) => `${field}, line ${line}: ${reason}`);
  const rest = faultCount - faults.length;
  return [
    `${faultCount} lines of ${field} cannot be used and are left out`,
    ...lines,
    ...(rest > 0 ? [`${field}: and ${rest} more lines`] : []),
    ...told,
  ];
}

/** The file's row; NOT_FOUND when there is none. */
export async function trainingFileOf(
  store: Store,
  id: string,
  field: string,
): Promise<TrainingFile> {
  const file = await store.catalog.files.get(id);
  if (file === undefined)
    throw new StrataError("NOT_FOUND", `The file "${id}" does not exist`, { field });
  return file;
}

async function readFile(
  store: Store,
  wanted: {
    readonly id: string;
    readonly field: string;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Dataset> {
  const { id, field, signal } = wanted;
  const file = await trainingFileOf(store, id, field);
  const source = { filename: file.filename, field, signal };
  const dataset = await readDataset(store.blobs.stream(file.blob), source);
  if (dataset.examples.length === 0)
    throw new StrataError("INVALID_ARGUMENT", `Cannot train on "${id}": no line can be used`, {
      field,
    });
  return dataset;
}

function splitInTwo(examples: readonly Example[]): [Example[], Example[]] {
  const { train, dev } = splitExamples(examples, { devShare, seed: splitSeed });
  const pick = (indices: Uint32Array): Example[] =>
    Array.from(indices, (index) => present(examples[index], "the split indexes the examples"));
  return [pick(train), pick(dev)];
}

async function tokenize(
  tokenizer: Tokenizer,
  options: {
    readonly examples: readonly Example[];
    readonly labels: readonly string[];
    readonly field: string;
  },
): Promise<Sequences> {
  const { examples, labels, field } = options;
  const indexByLabel = new Map(labels.map((label, index) => [label, index]));
  const indices = examples.map(({ label }) => {
    const index = indexByLabel.get(label);
    if (index !== undefined) return index;
    const known = labels
      .slice(0, 10)
      .map((name) => `"${name}"`)
      .join(", ");
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot train: label "${label}" is not one of the model's: ${known}`,
      { field },
    );
  });
  const { ids } = await tokenizer.encode(examples.map(({ text }) => text));
  return { ids, labels: Int32Array.from(indices), states: undefined };
}
