/** The tasks of `../shared/data`, read as the product reads uploads. Absent data skips a claim. */
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, Tokenizer } from "../src/checkpoints/checkpoints.ts";
import { readConll } from "../src/datasets/conll.ts";
import type { Example } from "../src/datasets/datasets.ts";
import { readDataset } from "../src/datasets/read.ts";
import { splitByContent } from "../src/datasets/split.ts";
import { present } from "../src/foundation/assert.ts";
import { Pace } from "../src/foundation/pace.ts";
import { encodeContents } from "../src/trainer/contents.ts";
import { type ContentSequences, picked } from "../src/learning/sequences.ts";
import type { TokenTask } from "../src/learning/token-fit.ts";
import { tokenizeSentences, type TokenSequences } from "../src/learning/token-sequences.ts";

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
  const sequences = async (examples: readonly Example[]): Promise<ContentSequences> => ({
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
  const read = (part: string) => {
    const path = join(folder, name, `${part}.conll`);
    return readConll(createReadStream(path), { filename: path });
  };
  const sequences = async (part: string) =>
    tokenizeSentences({ tokenizer, tokensMax }, (await read(part)).sentences);
  return {
    labels: (await read("train")).labels,
    train: await sequences("train"),
    dev: await sequences("dev"),
    test: await sequences("test"),
  };
}

/** The examples of a part of the task, or undefined when it has no such part. */
export function readRows(
  folder: string,
  task: string,
  part: "train" | "test",
): Promise<readonly Example[] | undefined> {
  return readExamples(join(folder, task), part);
}

async function readExamples(folder: string, part: string): Promise<readonly Example[] | undefined> {
  for (const ending of ["jsonl", "csv"]) {
    const path = join(folder, `${part}.${ending}`);
    if (!existsSync(path)) continue;
    return (await readDataset(createReadStream(path), { filename: path })).examples;
  }
  return undefined;
}

/** As the product divides a file. */
async function split(all: ContentSequences): Promise<Pick<Task, "train" | "dev">> {
  const pace = new Pace();
  const parts = await splitByContent(all, pace);
  return { train: await picked(all, parts.train, pace), dev: await picked(all, parts.dev, pace) };
}
