/** A trainer over the stack of a small base, and texts to train on. */
import type { Stack } from "./engine-stack.ts";
import type { TrainingFile } from "../src/entities/training-file.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { SeededRandom, systemIds } from "../src/foundation/random.ts";
import { silentTelemetry } from "../src/foundation/telemetry.ts";
import { JobTrainer } from "../src/trainer/job-trainer.ts";
import { TrainingBase } from "../src/learning/training-base.ts";
import { smallWords } from "./small-checkpoint.ts";

export interface Line {
  readonly text: string;
  readonly label: string;
}

export function openTrainer(stack: Stack, base: TrainingBase): JobTrainer {
  const { store, creator } = stack;
  return new JobTrainer({
    store,
    creator,
    clock: systemClock,
    ids: systemIds,
    telemetry: silentTelemetry,
    openBase: async () => base,
  });
}

export function trainingBaseOf({ checkpoint, weights, runtime }: Stack): TrainingBase {
  return new TrainingBase({ checkpoint, weights, precision: "fp32", runtime });
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
  await store.catalog.files.insert(file);
  return file.id;
}

export function asJsonLines(lines: readonly Line[]): string {
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

/** Two words of one half of the vocabulary: a head alone tells them apart. */
export function easyLines(count: number, seed = 1): readonly Line[] {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const isHigh = index % 2 === 0;
    const word = (): string => smallWords[random.integer(20) + (isHigh ? 20 : 0)] ?? "";
    return { text: `${word()} ${word()}`, label: isHigh ? "high" : "low" };
  });
}

/** Whether the two words are of the same half: no sum over the words tells. */
export function hardLines(count: number, seed = 2): readonly Line[] {
  const random = new SeededRandom(seed);
  const word = (isHigh: boolean): string => smallWords[random.integer(4) + (isHigh ? 4 : 0)] ?? "";
  return Array.from({ length: count }, (_, index) => {
    const [isFirst, isSecond] = [random.uniform() < 0.5, index % 2 === 0];
    const label = isFirst === isSecond ? "same" : "other";
    return { text: `${word(isFirst)} ${word(isSecond)}`, label };
  });
}

/** One of two words tells the label, and two others say nothing: a head alone tells them apart. */
export function markedLines(count: number, seed = 3): readonly Line[] {
  const random = new SeededRandom(seed);
  const word = (): string => smallWords[random.integer(36)] ?? "";
  return Array.from({ length: count }, (_, index) => {
    const isHigh = index % 2 === 0;
    return {
      text: `${isHigh ? "w39" : "w38"} ${word()} ${word()}`,
      label: isHigh ? "high" : "low",
    };
  });
}
