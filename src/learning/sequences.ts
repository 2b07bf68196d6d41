/** Tokenised examples, in the forms that the training graphs read. */
import type { Pooling } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import type { Pace } from "../foundation/pace.ts";
import { permutation, type Random } from "../foundation/random.ts";
import { float32Result, type Floats, type Value } from "../runtime/runtime.ts";
import type { Answer } from "../tasks/tasks.ts";
import type { TrainingBase } from "./training-base.ts";

/** What the graphs start from. */
export interface Source {
  readonly ids: readonly Int32Array[];
  /** The shallow part's states of each sequence, `[tokens, hidden]`, where they are kept. */
  readonly states: readonly Float32Array[] | undefined;
  /** The first token of each word of each sequence, where the task has words. */
  readonly firsts?: readonly Int32Array[] | undefined;
}

export interface Sequences extends Source {
  /** What it is right to answer to each sequence. */
  readonly answers: readonly Answer[];
}

/** Sequences with the digests of their contents; see `contents.ts`. */
export interface ContentSequences extends Sequences {
  readonly digests: Float64Array;
}

/** Those at the indices, in their order. */
export async function picked(
  { ids, answers, states, firsts, digests }: ContentSequences,
  indices: ArrayLike<number>,
  pace: Pace,
): Promise<ContentSequences> {
  const ownIds: Int32Array[] = [];
  const ownAnswers: Answer[] = [];
  const ownStates: Float32Array[] = [];
  const ownFirsts: Int32Array[] = [];
  const ownDigests = new Float64Array(indices.length);
  await pace.each(indices.length, (position) => {
    const index = indices[position] ?? -1;
    ownIds.push(present(ids[index], "an index of the sequences"));
    ownAnswers.push(present(answers[index], "one answer per sequence"));
    ownDigests[position] = digests[index] ?? 0;
    if (states !== undefined) ownStates.push(present(states[index], "one state per sequence"));
    if (firsts !== undefined) ownFirsts.push(present(firsts[index], "words of each sequence"));
  });
  return {
    ids: ownIds,
    answers: ownAnswers,
    states: states === undefined ? undefined : ownStates,
    firsts: firsts === undefined ? undefined : ownFirsts,
    digests: ownDigests,
  };
}

/** Indices of the sequences that run together. */
export type Batch = readonly number[];

export interface BatchShape {
  readonly sequencesMax: number;
  /** Sequences times the longest one's tokens. */
  readonly tokensMax: number;
}

/** Batches sorted by length together: enough for little padding, few enough for chance. */
const sortedBatchCount = 16;

/** Batches of one epoch in random order; within each, lengths are alike. */
export function shuffledBatches(
  { ids }: Pick<Source, "ids">,
  shape: BatchShape,
  random: Random,
): readonly Batch[] {
  const order = [...permutation(ids.length, random)];
  const batches: Batch[] = [];
  const groupSize = shape.sequencesMax * sortedBatchCount;
  for (let start = 0; start < order.length; start += groupSize)
    batches.push(...packed(ids, order.slice(start, start + groupSize), shape));
  return [...permutation(batches.length, random)].map((index) =>
    present(batches[index], "a permutation of the batches"),
  );
}

/** The same batches; others come to run while they are made. */
export async function shuffledBatchesAtPace(
  { ids }: Pick<Source, "ids">,
  shape: BatchShape,
  { random, pace }: { readonly random: Random; readonly pace: Pace },
): Promise<readonly Batch[]> {
  const order = Uint32Array.from(ids.keys());
  // As `permutation` does it.
  await pace.each(ids.length - 1, (step) => swap(order, ids.length - 1 - step, random));
  const groupSize = shape.sequencesMax * sortedBatchCount;
  const batches: Batch[] = [];
  await pace.each(Math.ceil(ids.length / groupSize), (group) => {
    const members = [...order.subarray(group * groupSize, (group + 1) * groupSize)];
    for (const batch of packed(ids, members, shape)) batches.push(batch);
  });
  return [...permutation(batches.length, random)].map((index) =>
    present(batches[index], "a permutation of the batches"),
  );
}

function swap(order: Uint32Array, last: number, random: Random): void {
  const other = random.integer(last + 1);
  const held = order[last] ?? 0;
  order[last] = order[other] ?? 0;
  order[other] = held;
}

/** Batches over all sequences by length, for runs in which order does not matter. */
export function sortedBatches(ids: readonly Int32Array[], shape: BatchShape): readonly Batch[] {
  return packed(ids, [...ids.keys()], shape);
}

function packed(
  ids: readonly Int32Array[],
  members: readonly number[],
  { sequencesMax, tokensMax }: BatchShape,
): readonly Batch[] {
  const lengthOf = (index: number): number => ids[index]?.length ?? 0;
  const batches: number[][] = [];
  let current: number[] = [];
  for (const index of byLength(members, lengthOf)) {
    const isFull = current.length === sequencesMax;
    if (isFull || (current.length > 0 && lengthOf(index) * (current.length + 1) > tokensMax)) {
      batches.push(current);
      current = [];
    }
    current.push(index);
  }
  if (current.length > 0) batches.push(current);
  return batches;
}

/** Sorts by length, of which there are few: they are counted, which is faster than sorting. */
function byLength(
  members: readonly number[],
  lengthOf: (member: number) => number,
): readonly number[] {
  const ofLength: number[][] = [];
  for (const member of members) (ofLength[lengthOf(member)] ??= []).push(member);
  return ofLength.flat();
}

export type Feed = Readonly<Record<string, Value>>;

/**
 * `ids` or `states` and `lengths` of a batch, padded to its longest sequence, and `isCls` for
 * graphs that pool.
 */
export function sourceFeeds(
  { ids, states }: Source,
  batch: Batch,
  { pooling, hiddenSize }: { readonly pooling: Pooling | undefined; readonly hiddenSize: number },
): Feed {
  const rows = batch.map((index) => present(ids[index], "a batch indexes the sequences"));
  const sequence = rows.reduce((longest, { length }) => Math.max(longest, length), 1);
  const count = batch.length;
  const source =
    states === undefined
      ? idsFeed(rows, sequence)
      : statesFeed(
          batch.map((index) => present(states[index], "one state per sequence")),
          { sequence, hiddenSize },
        );
  const lengths = BigInt64Array.from(rows, ({ length }) => BigInt(length));
  const feeds: Feed = {
    ...source,
    lengths: { kind: "value", type: "int64", shape: [count], values: lengths },
  };
  if (pooling === undefined) return feeds;
  const isCls = new Uint8Array(count).fill(pooling === "cls" ? 1 : 0);
  return { ...feeds, isCls: { kind: "value", type: "bool", shape: [count], values: isCls } };
}

function idsFeed(rows: readonly Int32Array[], sequence: number): Feed {
  const values = new Int32Array(rows.length * sequence);
  for (const [index, row] of rows.entries()) values.set(row, index * sequence);
  return { ids: { kind: "value", type: "int32", shape: [rows.length, sequence], values } };
}

function statesFeed(
  rows: readonly Float32Array[],
  { sequence, hiddenSize }: { readonly sequence: number; readonly hiddenSize: number },
): Feed {
  const values = new Float32Array(rows.length * sequence * hiddenSize);
  for (const [index, row] of rows.entries()) values.set(row, index * sequence * hiddenSize);
  const shape = [rows.length, sequence, hiddenSize];
  return { states: { kind: "value", type: "float32", shape, values } };
}

/** Runs the shallow part over all sequences and keeps the states. */
export async function shallowStates(
  base: TrainingBase,
  ids: readonly Int32Array[],
  signal?: AbortSignal,
): Promise<readonly Float32Array[]> {
  const { hiddenSize } = base.checkpoint.config;
  const source = { ids, states: undefined };
  return base.withShallow((program) =>
    keepStates(ids, {
      signal,
      async compute(batch) {
        const feeds = sourceFeeds(source, batch, { pooling: undefined, hiddenSize });
        return float32Result(await program.run(feeds), "state");
      },
    }),
  );
}

/** Each sequence's rows of what `compute` gives for batches, `[batch, sequence, hidden]`. */
export async function keepStates(
  ids: readonly Int32Array[],
  options: {
    readonly signal: AbortSignal | undefined;
    compute(batch: Batch): Promise<Floats>;
  },
): Promise<readonly Float32Array[]> {
  const states: Float32Array[] = Array.from({ length: ids.length });
  for (const batch of sortedBatches(ids, evaluationShape)) {
    options.signal?.throwIfAborted();
    const { shape, values } = await options.compute(batch);
    const [, sequence = 0, hiddenSize = 0] = shape;
    for (const [row, index] of batch.entries()) {
      const start = row * sequence * hiddenSize;
      const length = (ids[index]?.length ?? 0) * hiddenSize;
      states[index] = values.slice(start, start + length);
    }
  }
  return states;
}

export const evaluationShape: BatchShape = { sequencesMax: 64, tokensMax: 1024 };
