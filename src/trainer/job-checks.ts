/** Whether a job can be run at all, told when it is submitted. */
import type { Caller } from "../entities/caller.ts";
import type { VirtualModel } from "../entities/virtual-model.ts";
import type { Files } from "../files/files.ts";
import { notFound } from "../storage/checks.ts";
import type { Store } from "../storage/storage.ts";
import type { JobSpecification } from "../entities/job.ts";
import { checkFileTask, taskOfModel, taskOfTraining } from "./file-task.ts";

/** What is asked about a job. */
export interface JobChecks {
  readonly store: Store;
  readonly files: Files;
  /** CONFLICT, with the reason, for a base that is known and not loaded. */
  checkBase(id: string): void;
}

/**
 * The vPLM that the job names, or undefined when it names a base. NOT_FOUND for an unknown model or
 * file, CONFLICT for a base that cannot be trained on, INVALID_ARGUMENT for a file of another task.
 * Values were checked where they came in.
 */
export async function checkJob(
  caller: Caller,
  { store, files, checkBase }: JobChecks,
  specification: JobSpecification,
): Promise<VirtualModel | undefined> {
  const { model, trainingFile, validationFile } = specification;
  const own = store.catalog.of(caller);
  const found = await own.models.get(model);
  if (found === undefined && (await store.catalog.bases.get(model)) === undefined)
    throw notFound("model", model, "model");
  checkBase(found?.base ?? model);
  const training = await files.get(caller, trainingFile, "training_file");
  checkFileTask(training, taskOfModel(found), "training_file");
  if (validationFile !== undefined) {
    const validation = await files.get(caller, validationFile, "validation_file");
    const wanted = taskOfModel(found) ?? (training.task && taskOfTraining(training.task));
    checkFileTask(validation, wanted, "validation_file");
  }
  return found;
}
