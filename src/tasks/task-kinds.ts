/** The kinds of tasks that there are. */
import type { ExampleForm } from "../datasets/example-form.ts";
import type { TaskName } from "../entities/virtual-model.ts";
import type { TaskKind } from "./tasks.ts";
import { textClassification } from "./text-classification.ts";
import { tokenClassification } from "./token-classification.ts";

export const taskKinds: Readonly<Record<TaskName, TaskKind>> = {
  "text-classification": textClassification,
  "token-classification": tokenClassification,
};

/** The forms of their examples; the last one takes what no other knows. */
export const exampleForms: readonly ExampleForm[] = [
  tokenClassification.form,
  textClassification.form,
];
