/** A whole run on a few short texts, for exams of what it learns and of how it goes on. */
import assert from "node:assert/strict";
import { smallConfig, smallWeights } from "../checkpoints/exam-encoder.ts";
import type { LearnedPart } from "../models/distillation-graph.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import {
  distil,
  type SavePoint,
  type DistillationOptions,
  type DistillationTask,
  type HierarchyObjective,
} from "./distillation.ts";

export interface ExamRun {
  readonly options: DistillationOptions;
  readonly texts: readonly Int32Array[];
  /** The save point of another run, whose weights this one starts from. */
  readonly start?: SavePoint;
  /** What learns; by default the merge too, and tri-grams alone from another run's weights. */
  readonly learns?: LearnedPart;
  /** A save point of this run. */
  readonly from?: SavePoint;
  /** The step after whose save point it is stopped. */
  readonly stopAt?: number;
  readonly objective?: (task: DistillationTask) => HierarchyObjective;
}

/**
 * Runs until the end, or to `stopAt`; the first ten texts are held out.
 * Returns the last save point.
 */
export async function learn(runtime: Runtime, exam: ExamRun): Promise<SavePoint> {
  const { options, texts, start, from, stopAt, objective } = exam;
  const { learns = start === undefined ? "merge" : "ngrams" } = exam;
  const base = await smallWeights(runtime);
  const weights = new Map<string, TypedValues>(base);
  for (const [name, { values }] of start?.values ?? []) weights.set(name, values);
  assert.ok(learns !== "ngrams" || !start?.values.has("layer.1.query.bias"), "int8 is the base's");
  const task: DistillationTask = {
    config: smallConfig,
    base,
    weights,
    learns,
    ownsUpper: learns === "upper",
    train: texts.slice(10),
    heldOut: texts.slice(0, 10),
  };
  const stop = new AbortController();
  let last: SavePoint | undefined;
  const run = distil(runtime, task, {
    options,
    signal: stop.signal,
    ...(objective === undefined ? {} : { objective: objective(task) }),
    ...(from === undefined ? {} : { from }),
    onSavePoint: async ({ values, curve }) => {
      last = { values: structuredClone(values), curve: [...curve] };
      if (curve.at(-1)?.step === stopAt) stop.abort();
    },
  });
  if (stopAt === undefined) await run;
  else await assert.rejects(run, { name: "AbortError" });
  assert.ok(last);
  return last;
}
