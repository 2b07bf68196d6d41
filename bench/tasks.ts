/** The tasks of `../shared/data`, read as the product reads uploads. Absent data skips a claim. */
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint } from "../src/checkpoints/checkpoints.ts";
import type { LabelledText, MarkedText } from "../src/datasets/datasets.ts";
import { readDataset } from "../src/datasets/read.ts";
import { splitByContent } from "../src/datasets/split.ts";
import type { Tokenizer } from "../src/formats/formats.ts";
import { assert, present } from "../src/foundation/assert.ts";
import { Pace } from "../src/foundation/pace.ts";
import { encodeContents } from "../src/trainer/contents.ts";
import { type ContentSequences, picked } from "../src/learning/sequences.ts";
import type { TokenTask } from "../src/learning/token-fit.ts";
import {
  type LabelledSentence,
  tokenizeSentences,
  type TokenSequences,
} from "../src/learning/token-sequences.ts";

export interface Task {
  readonly name: string;
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
  const all = (await readExamples(join(folder, name), "train")) ?? [];
  const own = await readExamples(join(folder, name), "dev");
  const test = present(await readExamples(join(folder, name), "test"), "every task has a test");
  const labels = [...new Set(all.map(({ label }) => label))].toSorted();
  const sequences = async (examples: readonly LabelledText[]): Promise<ContentSequences> => ({
    ...(await encodeContents(
      tokenizer,
      examples.map(({ text }) => text),
    )),
    // A label that training has not seen counts as an error: no output stands for it.
    labels: Int32Array.from(examples, ({ label }) => labels.indexOf(label)),
    states: undefined,
  });
  const train = await sequences(all);
  const parts = own === undefined ? await split(train) : { train, dev: await sequences(own) };
  return { name, labels, ...parts, test: await sequences(test) };
}

/** The task's words as the checkpoint's tokens; its labels are those that training has seen. */
export async function loadTokenTask(
  folder: string,
  name: string,
  checkpoint: Pick<Checkpoint, "tokenizer" | "tokensMax">,
): Promise<TokenTask & { readonly test: TokenSequences }> {
  const { tokensMax } = checkpoint;
  const tokenizer = await checkpoint.tokenizer();
  const read = async (part: string) => {
    const path = join(folder, name, `${part}.conll`);
    const dataset = await readDataset(createReadStream(path), { filename: path });
    assert(dataset.task === "token-classification", "the task's files hold tags");
    return dataset;
  };
  const sequences = async (part: string) =>
    tokenizeSentences({ tokenizer, tokensMax }, (await read(part)).examples.map(sentenceOf));
  const { labels } = await read("train");
  return {
    labels: [...labels.flatMap((label) => [`B-${label}`, `I-${label}`]), "O"],
    train: await sequences("train"),
    dev: await sequences("dev"),
    test: await sequences("test"),
  };
}

/** The words of a text that was made of words, which hold no space, with their tags. */
function sentenceOf({ text, entities }: MarkedText): LabelledSentence {
  const words = text.split(" ");
  let start = -1;
  const labels = words.map((word) => {
    start += 1;
    const place = start;
    start += Array.from(word).length;
    const entity = entities.find((one) => one.start <= place && place < one.end);
    if (entity === undefined) return "O";
    return `${entity.start === place ? "B" : "I"}-${entity.label}`;
  });
  return { words, labels };
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
  for (const ending of ["jsonl", "csv"]) {
    const path = join(folder, `${part}.${ending}`);
    if (!existsSync(path)) continue;
    const dataset = await readDataset(createReadStream(path), { filename: path });
    assert(dataset.task === "text-classification", "the task's files hold labels");
    return dataset.examples;
  }
  return undefined;
}

/** Splits as the product divides a file. */
async function split(all: ContentSequences): Promise<Pick<Task, "train" | "dev">> {
  const pace = new Pace();
  const parts = await splitByContent(all, pace);
  return { train: await picked(all, parts.train, pace), dev: await picked(all, parts.dev, pace) };
}
