/** The tasks of `../shared/data`, read as the product reads uploads. Absent data skips a claim. */
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { Checkpoint, Tokenizer } from "../src/checkpoints/checkpoints.ts";
import { readConll } from "../src/datasets/conll.ts";
import type { Example } from "../src/datasets/datasets.ts";
import { readDataset } from "../src/datasets/read.ts";
import { splitExamples } from "../src/datasets/split.ts";
import { present } from "../src/foundation/assert.ts";
import type { Sequences } from "../src/trainer/sequences.ts";
import type { TokenTask } from "../src/trainer/token-fit.ts";
import { tokenizeSentences, type TokenSequences } from "../src/trainer/token-sequences.ts";

export interface Task {
  readonly name: string;
  readonly labels: readonly string[];
  readonly train: Sequences;
  readonly dev: Sequences;
  readonly test: Sequences;
}

/** Share of the training examples that become dev where a task brings none. */
const devShare = 0.1;

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
  const { train, dev } = own === undefined ? split(all) : { train: all, dev: own };
  const test = present(await readExamples(join(folder, name), "test"), "every task has a test");
  const labels = [...new Set(all.map(({ label }) => label))].toSorted();
  const sequences = async (examples: readonly Example[]): Promise<Sequences> => ({
    ids: (await tokenizer.encode(examples.map(({ text }) => text))).ids,
    // A label that training has not seen counts as an error: no output stands for it.
    labels: Int32Array.from(examples, ({ label }) => labels.indexOf(label)),
    states: undefined,
  });
  return {
    name,
    labels,
    train: await sequences(train),
    dev: await sequences(dev),
    test: await sequences(test),
  };
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

async function readExamples(folder: string, part: string): Promise<readonly Example[] | undefined> {
  for (const ending of ["jsonl", "csv"]) {
    const path = join(folder, `${part}.${ending}`);
    if (!existsSync(path)) continue;
    return (await readDataset(createReadStream(path), { filename: path })).examples;
  }
  return undefined;
}

function split(examples: readonly Example[]): { train: Example[]; dev: Example[] } {
  const parts = splitExamples(examples, { devShare, seed: 0 });
  const pick = (indices: Uint32Array): Example[] =>
    Array.from(indices, (index) => present(examples[index], "the split indexes the examples"));
  return { train: pick(parts.train), dev: pick(parts.dev) };
}
