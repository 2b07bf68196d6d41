/**
 * Whether a file is for the task that a job needs. Its row tells since it was uploaded; of an older
 * file, or one that came for another purpose, its rows tell when the job reads them.
 */
import type { TrainingFile } from "../entities/training-file.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import { StrataError } from "../foundation/errors.ts";

/** The task that a file has to be for, and whose that is, for messages. */
export interface WantedTask {
  readonly task: TaskName;
  readonly whose: string;
}

/** What a file for a model must be for; any task will do for one that is yet to be made. */
export function taskOfModel(
  model: { readonly id: string; readonly task: TaskName } | undefined,
): WantedTask | undefined {
  return model && { task: model.task, whose: `model "${model.id}" is` };
}

/** What a file to judge by must be for, beside a file to train on of this task. */
export function taskOfTraining(task: TaskName): WantedTask {
  return { task, whose: "those of training_file are" };
}

/** INVALID_ARGUMENT, which blames `field` and says what to do, for a file of another task. */
export function checkFileTask(
  { filename, task }: Pick<TrainingFile, "filename" | "task">,
  wanted: WantedTask | undefined,
  field: string,
): void {
  if (wanted === undefined || task === undefined || task === wanted.task) return;
  const state = `its rows are examples of ${task}, ${wanted.whose} of ${wanted.task}`;
  const message = `Cannot train on "${filename}": ${state}; ${cureFor(field)}`;
  throw new StrataError("INVALID_ARGUMENT", message, { field });
}

function cureFor(field: string): string {
  return field === "training_file"
    ? "create a model with this file and name no task, which the file decides"
    : "give files of one task";
}
