/** What training and serving over an int8 base costs in accuracy, on one real task. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openBaseCheckpoint, openPulledBase } from "../src/sources/base-cache.ts";
import { loadBaseWeights } from "../src/checkpoints/base-weights.ts";
import type { Precision } from "../src/entities/base-model.ts";
import { upperBottleneck } from "../src/models/adapters/adapters.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import { fit } from "../src/learning/learning.ts";
import { shallowStates } from "../src/learning/sequences.ts";
import { TrainingBase } from "../src/learning/training-base.ts";
import { servedScore } from "./accuracy-serving.ts";
import type { BenchOptions } from "./claim.ts";
import { round } from "./measure.ts";
import { loadTask, taskFolder } from "./tasks.ts";
import { textClassification } from "../src/tasks/text-classification.ts";

const taskName = "sci-cite";
const settings = { learningRate: 1e-3, epochCount: 6, batchSize: 16, rank: 32, patience: 6 };
const seeds = [0, 1] as const;
const resultPath = join(import.meta.dirname, "../../bench/results/int8-cost.json");

/** Measures and writes the result file, or reads it for `--quick`. */
export async function int8Cost({ isQuick, cacheFolder }: BenchOptions): Promise<unknown> {
  const folder = taskFolder();
  if (isQuick) return existsSync(resultPath) ? JSON.parse(readFileSync(resultPath, "utf8")) : null;
  if (folder === undefined) return { skipped: "the tasks are not beside this checkout" };
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const pulled = await openPulledBase(cacheFolder, "all-MiniLM-L6-v2");
  const checkpoint = await openBaseCheckpoint(pulled);
  const weights = await loadBaseWeights(checkpoint, runtime);
  const task = await loadTask(folder, taskName, await checkpoint.tokenizer());
  const testAccuracy: Record<Precision, number[]> = { fp32: [], int8: [] };
  for (const precision of ["fp32", "int8"] as const) {
    const base = new TrainingBase({ checkpoint, weights, precision, runtime });
    const train = { ...task.train, states: await shallowStates(base, task.train.ids) };
    const dev = { ...task.dev, states: await shallowStates(base, task.dev.ids) };
    const labelCount = task.labels.length;
    const kind = textClassification;
    const fitTask = { kind, train, dev, labelCount, pooling: checkpoint.pooling };
    for (const seed of seeds) {
      const adapter = upperBottleneck(checkpoint.config, settings.rank);
      const fitted = await fit(base, fitTask, { ...settings, adapter, seed });
      const options = { base, runtime, kind, labelCount, test: task.test };
      testAccuracy[precision].push(round(100 * (await servedScore(fitted, options))));
    }
  }
  await runtime.close();
  const mean = (values: readonly number[]): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  const points = round(mean(testAccuracy.fp32) - mean(testAccuracy.int8));
  const result = { task: taskName, testAccuracy, points, settings, seeds };
  mkdirSync(dirname(resultPath), { recursive: true });
  writeFileSync(resultPath, `${JSON.stringify(result, null, 2)}\n`);
  return result;
}
