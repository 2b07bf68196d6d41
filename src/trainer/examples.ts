/** From an uploaded file to tokenised, split examples. */
import { checkTrainable, type Dataset, type LabelledText } from "../datasets/datasets.ts";
import { distinctContents, splitByContent } from "../datasets/split.ts";
import type { Caller } from "../entities/caller.ts";
import type { Tokenizer } from "../formats/formats.ts";
import type { Files, WantedFile } from "../files/files.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { encodeContents } from "./contents.ts";
import { type ContentSequences, picked } from "../learning/sequences.ts";

export interface TrainingExamples {
  readonly train: ContentSequences;
  /** Each content once; a small file may have none. */
  readonly dev: ContentSequences;
  readonly labels: readonly string[];
  /** What the user should know of the files, in sentences: lines left out, and warnings. */
  readonly complaints: readonly string[];
}

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
  caller: Caller,
  files: Files,
  options: ExampleOptions,
): Promise<TrainingExamples> {
  const { tokenizer, trainingFile, validationFile, signal } = options;
  const read = { id: trainingFile, field: "training_file", signal };
  const dataset = await readTrainable(caller, files, read);
  const labels = grown(options.labels ?? [], dataset.labels);
  const validation =
    validationFile === undefined
      ? undefined
      : await readLabelled(caller, files, { id: validationFile, field: "validation_file", signal });
  const encode = (from: LabelledDataset, field: string): Promise<ContentSequences> =>
    encoded(from.examples, { tokenizer, labels, field, signal });
  const given = await encode(dataset, "training_file");
  const judges = validation && (await encode(validation, "validation_file"));
  const pace = new Pace(signal);
  const { overlapCount, ...parts } =
    judges === undefined ? await divide(given, pace) : await divideFrom(given, judges, pace);
  return {
    ...parts,
    labels,
    complaints: [
      ...complaintsOf(dataset, "training_file"),
      ...(validation === undefined ? [] : complaintsOf(validation, "validation_file")),
      ...overlapComplaint(overlapCount),
      ...labelComplaints(options.labels ?? dataset.labels, dataset.labels),
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

/** What the model's labels lack of the file's, and the other way round. */
function labelComplaints(known: readonly string[], found: readonly string[]): readonly string[] {
  const [before, now] = [new Set(known), new Set(found)];
  const sentence = (start: string, labels: readonly string[]): readonly string[] => {
    const named = labels.slice(0, 10).map((label) => `"${label}"`);
    const rest = labels.length > named.length ? ` and ${labels.length - named.length} more` : "";
    return labels.length === 0 ? [] : [`${start}: ${named.join(", ")}${rest}`];
  };
  return [
    ...sentence(
      "New labels, which the model did not have",
      found.filter((label) => !before.has(label)),
    ),
    ...sentence(
      "Labels of the model without a text in the file",
      known.filter((label) => !now.has(label)),
    ),
  ];
}

interface Divided {
  readonly train: ContentSequences;
  readonly dev: ContentSequences;
  /** Examples to train on that judge, so that they are not trained on. */
  readonly overlapCount: number;
}

async function divide(given: ContentSequences, pace: Pace): Promise<Divided> {
  const { train, dev } = await splitByContent(given, pace);
  return {
    train: await picked(given, train, pace),
    dev: await picked(given, dev, pace),
    overlapCount: 0,
  };
}

/**
 * What the caller chose to judge by judges, and is not trained on, unless a label would have
 * nothing else to learn from: then that content is trained on, and does not judge.
 */
async function divideFrom(
  given: ContentSequences,
  judges: ContentSequences,
  pace: Pace,
): Promise<Divided> {
  const chosen = new Set(judges.digests);
  const split = await splitByContent(given, pace, (digest) => chosen.has(digest));
  const train = await picked(given, split.train, pace);
  const trained = new Set(train.digests);
  const distinct = await distinctContents(judges, pace);
  const dev = distinct.filter((index) => !trained.has(judges.digests[index] ?? -1));
  return {
    train,
    dev: await picked(judges, dev, pace),
    overlapCount: given.ids.length - train.ids.length,
  };
}

function overlapComplaint(count: number): readonly string[] {
  if (count === 0) return [];
  return [
    `${count} examples of training_file stand in validation_file too: they judge what is ` +
      `learned, and are not trained on`,
  ];
}

function complaintsOf({ faults, faultCount, warnings }: Dataset, field: string): readonly string[] {
  const told = warnings.map((warning) => `${field}: ${warning}`);
  if (faultCount === 0) return told;
  const lines = faults.map(({ line, reason }) => `${field}, line ${line}: ${reason}`);
  const rest = faultCount - faults.length;
  return [
    `${faultCount} rows of ${field} cannot be used and are left out`,
    ...lines,
    ...(rest > 0 ? [`${field}: and ${rest} more rows`] : []),
    ...told,
  ];
}

type LabelledDataset = Dataset & { readonly task: "text-classification" };

/** The file's data; INVALID_ARGUMENT when no classifier can be trained on it. */
export async function readTrainable(
  caller: Caller,
  files: Files,
  wanted: WantedFile,
): Promise<LabelledDataset> {
  const dataset = await readLabelled(caller, files, wanted);
  checkTrainable(dataset);
  return dataset;
}

async function readLabelled(
  caller: Caller,
  files: Files,
  wanted: WantedFile,
): Promise<LabelledDataset> {
  const dataset = await files.read(caller, wanted);
  if (dataset.task === "text-classification") return dataset;
  const { id, field } = wanted;
  const state = "it holds entities, and models learn labels of whole texts only";
  throw new StrataError("INVALID_ARGUMENT", `Cannot train on "${id}": ${state}`, { field });
}

async function encoded(
  examples: readonly LabelledText[],
  options: Pick<ExampleOptions, "tokenizer" | "signal"> & {
    readonly labels: readonly string[];
    readonly field: string;
  },
): Promise<ContentSequences> {
  const { tokenizer, labels, field, signal } = options;
  const indexByLabel = new Map(labels.map((label, index) => [label, index]));
  const indices = new Int32Array(examples.length);
  const texts: string[] = [];
  await new Pace(signal).each(examples.length, (position) => {
    const { label, text } = present(examples[position], "an example at each position");
    const index = indexByLabel.get(label) ?? -1;
    indices[position] = index;
    texts.push(text);
    if (index !== -1) return;
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
  return {
    ...(await encodeContents(tokenizer, texts, signal)),
    labels: indices,
    states: undefined,
  };
}
