/** What learned values answer to sequences. */
import type { Pooling } from "../entities/base-model.ts";
import { actsAbove } from "../models/adapters/adapters.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import type { TrainingMethod } from "../models/training-graph.ts";
import { float32Result, type Program, type Value, withProgram } from "../runtime/runtime.ts";
import type { Answer, TaskKind } from "../tasks/tasks.ts";
import { evaluationShape, sortedBatches, type Source, sourceFeeds } from "./sequences.ts";
import type { TrainingBase } from "./training-base.ts";

/** What has learned, or learns. */
export interface Taught {
  readonly method: TrainingMethod;
  /** The form that the method `adapter` learns. */
  readonly adapter: AdapterForm;
}

export interface Learned extends Taught {
  readonly tensors: ReadonlyMap<string, Value>;
}

/** What is asked, and of which kind of task. */
export interface Asked {
  readonly kind: TaskKind;
  readonly pooling: Pooling;
  readonly labelCount: number;
  readonly source: Source;
  readonly signal?: AbortSignal | undefined;
}

/** The answer to each sequence; rejects with the signal's reason. */
export function answersTo(
  base: TrainingBase,
  asked: Asked,
  learned: Learned,
): Promise<readonly Answer[]> {
  const answer = (program: Program): Promise<readonly Answer[]> =>
    answersBy(program, { base, asked }, learned);
  return withProgram(loadAnswering(base, asked, learned), answer);
}

/** The program for `answersBy`, which serves for all values that are taught so. */
export function loadAnswering(
  base: TrainingBase,
  { kind, source }: Pick<Asked, "kind" | "source">,
  { method, adapter }: Taught,
): Promise<Program> {
  const form = sourceOf(source, { method, adapter }, base);
  return base.loadLogits({ method, adapter, source: form, task: kind.graph });
}

/** See `answersTo`; the caller has loaded the program for what is asked, and for itself alone. */
export async function answersBy(
  program: Program,
  { base, asked }: { readonly base: TrainingBase; readonly asked: Asked },
  { method, adapter, tensors }: Learned,
): Promise<readonly Answer[]> {
  const { kind, pooling, labelCount, source: texts, signal } = asked;
  const source = sourceOf(texts, { method, adapter }, base);
  // Buffers are handed over, and the caller keeps its values.
  const copies = [...tensors].map(
    ([name, value]) => [name, { ...value, values: value.values.slice() }] as const,
  );
  await program.write(Object.fromEntries(copies));
  const { hiddenSize } = base.checkpoint.config;
  const all: Answer[] = Array.from({ length: texts.ids.length });
  for (const batch of sortedBatches(texts.ids, evaluationShape)) {
    signal?.throwIfAborted();
    const pooled = poolingOf(kind, pooling);
    const feeds = sourceFeeds(from(texts, source), batch, { pooling: pooled, hiddenSize });
    const { values } = float32Result(await program.run(feeds), "logits");
    const width = values.length / batch.length;
    for (const [row, index] of batch.entries())
      all[index] = kind.answerOf(values.subarray(row * width, (row + 1) * width), {
        labelCount,
        firsts: texts.firsts?.[index],
      });
  }
  return all;
}

/** Tokens are not pooled. */
export function poolingOf({ graph }: TaskKind, pooling: Pooling): Pooling | undefined {
  return graph.unit === "sequence" ? pooling : undefined;
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
  const both = <T>(
    one: readonly T[] | undefined,
    other: readonly T[] | undefined,
  ): readonly T[] | undefined =>
    one === undefined || other === undefined ? undefined : [...one, ...other];
  return {
    ids: [...first.ids, ...second.ids],
    states: both(first.states, second.states),
    firsts: both(first.firsts, second.firsts),
  };
}

export function from({ ids, states }: Source, source: "ids" | "states"): Source {
  return { ids, states: source === "ids" ? undefined : states };
}
