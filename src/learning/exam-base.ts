/** The small checkpoint, opened to be trained on. */
import { rm } from "node:fs/promises";
import { type BaseWeights, loadBaseWeights } from "../checkpoints/base-weights.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import { writeSmallCheckpoint } from "../checkpoints/exam-small-checkpoint.ts";
import { openCheckpoint } from "../checkpoints/folder.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import { TrainingBase } from "./training-base.ts";

export interface OpenedBase {
  readonly checkpoint: Checkpoint;
  readonly weights: BaseWeights;
  readonly runtime: OrtRuntime;
}

/** The base whose frozen layers run in float32. */
export function trainingBaseOf({ checkpoint, weights, runtime }: OpenedBase): TrainingBase {
  return new TrainingBase({ checkpoint, weights, precision: "fp32", runtime });
}

export interface SmallBase extends OpenedBase {
  readonly base: TrainingBase;
  /** Removes the folder too. */
  close(): Promise<void>;
}

/** Opens a small checkpoint in a folder of its own. */
export async function openSmallBase(): Promise<SmallBase> {
  const folder = await writeSmallCheckpoint();
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const checkpoint = await openCheckpoint(folder);
  const opened = { checkpoint, weights: await loadBaseWeights(checkpoint, runtime), runtime };
  const close = async (): Promise<void> => {
    await runtime.close();
    await rm(folder, { recursive: true });
  };
  return { ...opened, base: trainingBaseOf(opened), close };
}
