/** A trainer over the stack of a small base. */
import { operator } from "../entities/caller.ts";
import type { Stack } from "../processor/exam-stack.ts";
import type { TrainingFile } from "../entities/training-file.ts";
import { createFiles } from "../files/store-files.ts";
import { systemClock } from "../foundation/clock.ts";
import { systemIds } from "../foundation/random.ts";
import { silentTelemetry } from "../foundation/telemetry.ts";
import { JobTrainer } from "./job-trainer.ts";
import type { TrainingBase } from "../learning/training-base.ts";

export function openTrainer(stack: Stack, base: TrainingBase): JobTrainer {
  const { store, creator } = stack;
  const parts = { store, clock: systemClock, ids: systemIds };
  return new JobTrainer({
    ...parts,
    creator,
    files: createFiles(parts),
    telemetry: silentTelemetry,
    openBase: async () => base,
  });
}

/** Stores a file as the interface does; returns its id. */
export async function storeFile({ store }: Stack, content: string): Promise<string> {
  const bytes = new TextEncoder().encode(content);
  const file: TrainingFile = {
    id: systemIds.next("file-"),
    filename: "train.jsonl",
    purpose: "fine-tune",
    bytes: bytes.length,
    blob: await store.blobs.put(bytes),
    createdAt: 0,
    faultSummary: undefined,
  };
  await store.catalog.of(operator).files.insert(file);
  return file.id;
}
