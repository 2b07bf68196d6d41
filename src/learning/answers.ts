/** What learned values answer: the label of each text, or of each of its tokens. */
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { actsAbove } from "../models/adapters/adapters.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import type { TrainingMethod, TrainingTask } from "../models/training-graph.ts";
import type { Value } from "../runtime/runtime.ts";
import {
  evaluationShape,
  type Sequences,
  sortedBatches,
  type Source,
  sourceFeeds,
} from "./sequences.ts";
import type { TrainingBase } from "./training-base.ts";

/** What has learned, or learns. */
export interface Taught {
  readonly method: TrainingMethod;
  /** Of the method `adapter`. */
  readonly adapter: AdapterForm;
}

export interface Learned extends Taught {
  readonly tensors: ReadonlyMap<string, Value>;
}

/** What is asked, and of which kind of task. */
export interface Asked {
  readonly task: TrainingTask;
  /** Of tasks of sequences. */
  readonly pooling?: Pooling;
  readonly labelCount: number;
  readonly source: Source;
  readonly signal?: AbortSignal | undefined;
}

/** The label that each sequence, or each of its tokens, gets; rejects with the signal's reason. */
export async function answersTo(
  base: TrainingBase,
  { task, pooling, labelCount, source: texts, signal }: Asked,
  { method, adapter, tensors }: Learned,
): Promise<readonly Int32Array[]> {
  const source = sourceOf(texts, { method, adapter }, base);
  const { program } = await base.logits({ method, adapter, source, task });
  // Buffers are handed over, and the caller keeps its values.
  const copies = [...tensors].map(
    ([name, value]) => [name, { ...value, values: value.values.slice() }] as const,
  );
  await program.write(Object.fromEntries(copies));
  const { hiddenSize } = base.checkpoint.config;
  const all: Int32Array[] = Array.from({ length: texts.ids.length });
  for (const batch of sortedBatches(texts.ids, evaluationShape)) {
    signal?.throwIfAborted();
    const feeds = sourceFeeds(from(texts, source), batch, { pooling, hiddenSize });
    const { logits } = await program.run(feeds);
    const values = present(logits, "the graph's output").values as Float32Array; // float32 output
    const width = values.length / batch.length;
    for (const [row, index] of batch.entries())
      all[index] = highest(values.subarray(row * width, (row + 1) * width), labelCount);
  }
  return all;
}

/** The label that each text gets. */
export async function classify(
  base: TrainingBase,
  texts: Omit<Asked, "task">,
  learned: Learned,
): Promise<Int32Array> {
  const answers = await answersTo(base, { task: "sequence", ...texts }, learned);
  return Int32Array.from(answers, ([answer]) => answer ?? -1);
}

/** Share of the sequences that get their label. */
export function shareRight(
  { labels }: Pick<Sequences, "labels">,
  answers: readonly Int32Array[],
): number {
  const right = answers.filter(([answer], index) => answer === labels[index]);
  return right.length / Math.max(1, answers.length);
}

/** The label with the highest score in each row of `scores [rows, labels]`. */
export function highest(scores: Float32Array, labelCount: number): Int32Array {
  const best = new Int32Array(scores.length / labelCount);
  for (let row = 0; row < best.length; row++) {
    const start = row * labelCount;
    let at = 0;
    for (let label = 1; label < labelCount; label++)
      if ((scores[start + label] ?? NaN) > (scores[start + at] ?? NaN)) at = label;
    best[row] = at;
  }
  return best;
}

/** Kept states serve only while the shallow part stays as it is. */
export function sourceOf(
  { states }: Source,
  { method, adapter }: Taught,
  { checkpoint }: TrainingBase,
): "ids" | "states" {
  const isKept = method === "adapter" && actsAbove(adapter, checkpoint.config);
  return states === undefined || !isKept ? "ids" : "states";
}

/** Both, with states where both have them. */
export function joined(first: Source, second: Source | undefined): Source {
  if (second === undefined || second.ids.length === 0) return first;
  const hasStates = first.states !== undefined && second.states !== undefined;
  return {
    ids: [...first.ids, ...second.ids],
    states: hasStates ? [...first.states, ...second.states] : undefined,
  };
}

export function from({ ids, states }: Source, source: "ids" | "states"): Source {
  return { ids, states: source === "ids" ? undefined : states };
}
