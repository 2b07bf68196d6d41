/** The tasks of `../shared/data`, read as the product reads uploads. Absent data skips a claim. */
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { Dataset, LabelledText } from "../src/datasets/datasets.ts";
import { readDataset } from "../src/datasets/read.ts";
import { splitByContent } from "../src/datasets/split.ts";
import type { Tokenizer } from "../src/formats/formats.ts";
import { assert, present } from "../src/foundation/assert.ts";
import { Pace } from "../src/foundation/pace.ts";
import { type ContentSequences, picked } from "../src/learning/sequences.ts";
import { contentsOf } from "../src/tasks/contents-of.ts";
import { exampleForms, taskKinds } from "../src/tasks/task-kinds.ts";
import { textClassification } from "../src/tasks/text-classification.ts";
import type { TaskKind } from "../src/tasks/tasks.ts";
import { encodeContents } from "../src/learning/contents.ts";

export interface Task {
  readonly name: string;
  readonly kind: TaskKind;
  readonly labels: readonly string[];
  readonly train: ContentSequences;
  readonly dev: ContentSequences;
  readonly test: ContentSequences;
}

/** The folder of these tasks, or undefined when this checkout has none beside it. */
export function taskFolder(kind: "classification" | "ner" = "classification"): string | undefined {
  const folder = join(import.meta.dirname, "../../../shared/data/tasks", kind);
  return existsSync(folder) ? folder : undefined;
}

/** The folder of plain texts, or undefined when this checkout has none beside it. */
export function corporaFolder(): string | undefined {
  const folder = join(import.meta.dirname, "../../../shared/data/corpora");
  return existsSync(folder) ? folder : undefined;
}

export async function loadTask(folder: string, name: string, tokenizer: Tokenizer): Promise<Task> {
  const own = join(folder, name);
  const all = present(await readPart(own, "train"), "every task has a train");
  const dev = await readPart(own, "dev");
  const test = present(await readPart(own, "test"), "every task has a test");
  const kind = taskKinds[all.task];
  const { labels } = all;
  const sequences = (part: Dataset): Promise<ContentSequences> =>
    sequencesOf(part, { kind, labels, tokenizer });
  const train = await sequences(all);
  const parts = dev === undefined ? await split(kind, train) : { train, dev: await sequences(dev) };
  return { name, kind, labels, ...parts, test: await sequences(test) };
}

async function sequencesOf(
  { examples, labels: found }: Dataset,
  task: {
    readonly kind: TaskKind;
    readonly labels: readonly string[];
    readonly tokenizer: Tokenizer;
  },
): Promise<ContentSequences> {
  const { kind, labels, tokenizer } = task;
  const { hasWords } = kind;
  const texts = examples.map(({ text }) => text);
  const { ids, digests, words } = await encodeContents(tokenizer, texts, { hasWords });
  // A label that training has not seen counts as an error: no output stands for it.
  const all = [...new Set([...labels, ...found])];
  const indexByLabel = new Map(all.map((label, index) => [label, index]));
  const answers = examples.map(
    (example, index) => kind.expected(example, { words: words?.[index], indexByLabel }).answer,
  );
  return { ids, digests, answers, firsts: words?.map(({ tokens }) => tokens), states: undefined };
}

/** The examples of a part of the task, or undefined when it has no such part. */
export function readRows(
  folder: string,
  task: string,
  part: "train" | "test",
): Promise<readonly LabelledText[] | undefined> {
  return readExamples(join(folder, task), part);
}

async function readExamples(
  folder: string,
  part: string,
): Promise<readonly LabelledText[] | undefined> {
  const dataset = await readPart(folder, part);
  if (dataset === undefined) return undefined;
  assert(dataset.task === textClassification.name, "the task's files hold labels");
  return dataset.examples as readonly LabelledText[]; // as its form makes them
}

async function readPart(folder: string, part: string): Promise<Dataset | undefined> {
  for (const ending of ["jsonl", "csv", "conll"]) {
    const path = join(folder, `${part}.${ending}`);
    if (existsSync(path))
      return readDataset(createReadStream(path), { filename: path, forms: exampleForms });
  }
  return undefined;
}

/** Splits as the product divides a file. */
async function split(kind: TaskKind, all: ContentSequences): Promise<Pick<Task, "train" | "dev">> {
  const pace = new Pace();
  const parts = await splitByContent(contentsOf(kind, all), pace);
  return { train: await picked(all, parts.train, pace), dev: await picked(all, parts.dev, pace) };
}
