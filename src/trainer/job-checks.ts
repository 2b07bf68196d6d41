/** Whether a job can be run at all, told when it is submitted. */
import type { Caller } from "../entities/caller.ts";
import type { Hyperparameters } from "../entities/job.ts";
import type { VirtualModel } from "../entities/virtual-model.ts";
import type { Files } from "../files/files.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { notFound } from "../storage/checks.ts";
import type { Store } from "../storage/storage.ts";
import type { JobSpecification } from "../entities/job.ts";
import { checkFileTask, taskOfModel, taskOfTraining } from "./file-task.ts";

const ranges: Readonly<
  Record<"epochCount" | "batchSize" | "learningRate" | "rank", readonly [number, number]>
> = {
  epochCount: [1, limits.epochCountMax],
  batchSize: [1, limits.trainingBatchSizeMax],
  learningRate: [1e-7, 1],
  rank: [1, limits.adapterRankMax],
};

const suffixPattern = /^[A-Za-z0-9_.-]*$/;

/**
 * The vPLM that the job names, or undefined when it names a base. NOT_FOUND for an unknown model or
 * file, INVALID_ARGUMENT for a file of another task and for a value outside its limit.
 */
export async function checkJob(
  caller: Caller,
  { store, files }: { readonly store: Store; readonly files: Files },
  specification: JobSpecification,
): Promise<VirtualModel | undefined> {
  const { model, trainingFile, validationFile, suffix, hyperparameters = {} } = specification;
  const own = store.catalog.of(caller);
  const found = await own.models.get(model);
  if (found === undefined && (await store.catalog.bases.get(model)) === undefined)
    throw notFound("model", model, "model");
  const training = await files.get(caller, trainingFile, "training_file");
  checkFileTask(training, taskOfModel(found), "training_file");
  if (validationFile !== undefined) {
    const validation = await files.get(caller, validationFile, "validation_file");
    const wanted = taskOfModel(found) ?? (training.task && taskOfTraining(training.task));
    checkFileTask(validation, wanted, "validation_file");
  }
  checkSuffix(suffix);
  checkHyperparameters(hyperparameters);
  return found;
}

function checkSuffix(suffix: string | undefined): void {
  if (suffix === undefined) return;
  if (suffixPattern.test(suffix) && suffix.length <= limits.nameCharactersMax) return;
  throw new StrataError(
    "INVALID_ARGUMENT",
    `Cannot create the job: "suffix" must be at most ${limits.nameCharactersMax} letters, ` +
      `digits, "_", "." or "-"`,
    { field: "suffix" },
  );
}

function checkHyperparameters(hyperparameters: Partial<Hyperparameters>): void {
  for (const [name, [low, high]] of Object.entries(ranges)) {
    const value = hyperparameters[name as keyof typeof ranges]; // the table's own keys
    const isWhole = name === "learningRate" || Number.isInteger(value);
    if (value === undefined || (isWhole && value >= low && value <= high)) continue;
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot create the job: "${name}" must lie in ${low} to ${high}, got ${value}`,
      { field: "hyperparameters" },
    );
  }
}
