/** An uploaded file becomes tokenised, split examples. */
import { checkTrainable, type Dataset } from "../datasets/datasets.ts";
import { LineCount, shownPlaces } from "../datasets/line-count.ts";
import { distinctContents, splitByContent } from "../datasets/split.ts";
import type { Caller } from "../entities/caller.ts";
import type { VirtualModel } from "../entities/virtual-model.ts";
import type { Tokenizer } from "../formats/formats.ts";
import type { Files, WantedFile } from "../files/files.ts";
import { present } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { Pace } from "../foundation/pace.ts";
import { encodeContents } from "../learning/contents.ts";
import { type ContentSequences, picked } from "../learning/sequences.ts";
import { contentsOf } from "../tasks/contents-of.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { Answer, TaskKind } from "../tasks/tasks.ts";
import { checkFileTask, taskOfModel, taskOfTraining, type WantedTask } from "./file-task.ts";

export interface TrainingExamples {
  readonly kind: TaskKind;
  readonly train: ContentSequences;
  /** Each content once; a small file may have none. */
  readonly dev: ContentSequences;
  readonly labels: readonly string[];
  /** What the user should know of the files, in sentences: lines left out, and warnings. */
  readonly complaints: readonly string[];
}

/** An existing model, or one that is yet to be made: what it is called, answers and knows. */
export type TrainedTarget = Pick<VirtualModel, "id" | "task" | "labels">;

export interface ExampleOptions {
  readonly trainingFile: string;
  readonly validationFile: string | undefined;
  readonly tokenizer: Tokenizer;
  /** An existing model's labels stay in front; the data may bring more. */
  readonly target: TrainedTarget | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** INVALID_ARGUMENT when the data cannot train a model, with the reason. */
export async function loadExamples(
  caller: Caller,
  files: Files,
  options: ExampleOptions,
): Promise<TrainingExamples> {
  const { target, trainingFile, validationFile, signal } = options;
  const dataset = await readTrainable(caller, files, {
    ...{ id: trainingFile, field: "training_file", signal },
    expected: taskOfModel(target),
  });
  const { task } = dataset;
  const kind = taskKinds[task];
  const labels = grown(target?.labels ?? [], dataset.labels);
  const validation =
    validationFile === undefined
      ? undefined
      : await readFor(caller, files, {
          ...{ id: validationFile, field: "validation_file", signal },
          expected: taskOfTraining(task),
        });
  const encoding = { ...options, kind, labels };
  const given = await encoded(dataset, { ...encoding, field: "training_file" });
  const judges =
    validation && (await encoded(validation, { ...encoding, field: "validation_file" }));
  const pace = new Pace(signal);
  const { overlapCount, ...parts } =
    judges === undefined
      ? await divide(kind, given.sequences, pace)
      : await divideFrom(kind, { given: given.sequences, judges: judges.sequences }, pace);
  return {
    ...parts,
    kind,
    labels,
    complaints: [
      ...complaintsOf(dataset, "training_file"),
      ...given.complaints,
      ...(validation === undefined ? [] : complaintsOf(validation, "validation_file")),
      ...(judges?.complaints ?? []),
      ...overlapComplaint(overlapCount),
      ...labelComplaints(target?.labels ?? dataset.labels, dataset.labels),
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

async function divide(kind: TaskKind, given: ContentSequences, pace: Pace): Promise<Divided> {
  const { train, dev } = await splitByContent(contentsOf(kind, given), pace);
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
  kind: TaskKind,
  { given, judges }: { readonly given: ContentSequences; readonly judges: ContentSequences },
  pace: Pace,
): Promise<Divided> {
  const chosen = new Set(judges.digests);
  const contents = contentsOf(kind, given);
  const split = await splitByContent(contents, pace, (digest) => chosen.has(digest));
  const train = await picked(given, split.train, pace);
  const trained = new Set(train.digests);
  const distinct = await distinctContents(contentsOf(kind, judges), pace);
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
  const lines = faults.map((fault) => `${field}, ${shownPlaces([fault])}: ${fault.reason}`);
  const rest = faultCount - faults.length;
  return [
    `${faultCount} rows of ${field} cannot be used and are left out`,
    ...lines,
    ...(rest > 0 ? [`${field}: and ${rest} more rows`] : []),
    ...told,
  ];
}

interface ExpectedFile extends WantedFile {
  readonly expected?: WantedTask | undefined;
}

/** The file's data; INVALID_ARGUMENT when no model can be trained on it. */
export async function readTrainable(
  caller: Caller,
  files: Files,
  wanted: ExpectedFile,
): Promise<Dataset> {
  const dataset = await readFor(caller, files, wanted);
  checkTrainable(dataset);
  return dataset;
}

async function readFor(
  caller: Caller,
  files: Files,
  { expected, ...wanted }: ExpectedFile,
): Promise<Dataset> {
  const { file, dataset } = await files.read(caller, wanted);
  checkFileTask({ filename: file.filename, task: dataset.task }, expected, wanted.field);
  return dataset;
}

interface Encoding extends Pick<ExampleOptions, "tokenizer" | "signal"> {
  readonly kind: TaskKind;
  readonly labels: readonly string[];
  readonly field: string;
}

interface EncodedFile {
  readonly sequences: ContentSequences;
  /** What of the texts cannot be learned, in sentences. */
  readonly complaints: readonly string[];
}

async function encoded(
  { examples, labels: found, lines }: Dataset,
  { tokenizer, kind, labels, field, signal }: Encoding,
): Promise<EncodedFile> {
  const { hasWords } = kind;
  const indexByLabel = new Map(labels.map((label, index) => [label, index]));
  checkKnown(found, { indexByLabel, field });
  const texts = examples.map(({ text }) => text);
  const contents = await encodeContents(tokenizer, texts, { hasWords, signal });
  const { ids, digests, words, isTruncated } = contents;
  const answers: Answer[] = [];
  let lostCount = 0;
  const lost = new LineCount();
  await new Pace(signal).each(examples.length, (index) => {
    const example = present(examples[index], "an example at each position");
    const expected = kind.expected(example, { words: words?.[index], indexByLabel });
    answers.push(expected.answer);
    lostCount += expected.lostCount;
    if (expected.lostCount > 0) lost.add({ line: lines[index] ?? 0 });
  });
  const cutCount = isTruncated.filter(Boolean).length;
  return {
    sequences: {
      ids,
      digests,
      answers,
      firsts: words?.map(({ tokens }) => tokens),
      states: undefined,
    },
    complaints: [
      ...counted(cutCount, `texts of ${field} are longer than the base reads: their ends are cut`),
      ...counted(lostCount, kind.lostRemark(`${field} (${lost.lines})`)),
    ],
  };
}

function counted(count: number, remark: string): readonly string[] {
  return count === 0 ? [] : [`${count} ${remark}`];
}

/** Labels that only the file to judge by has cannot be learned. */
function checkKnown(
  found: readonly string[],
  known: { readonly indexByLabel: ReadonlyMap<string, number>; readonly field: string },
): void {
  const { indexByLabel, field } = known;
  const label = found.find((one) => !indexByLabel.has(one));
  if (label === undefined) return;
  const names = [...indexByLabel.keys()].slice(0, 10).map((name) => `"${name}"`);
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot train: label "${label}" is not one of the model's: ${names.join(", ")}`,
    { field },
  );
}
