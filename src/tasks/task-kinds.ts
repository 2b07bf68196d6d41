/** The kinds of tasks that there are. */
import type { ExampleForms } from "../datasets/example-form.ts";
import { labelledForm } from "../datasets/labelled.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { TaskKind } from "./tasks.ts";
import { textClassification } from "./text-classification.ts";
import { tokenClassification } from "./token-classification.ts";

export const taskKinds: Readonly<Record<TaskName, TaskKind>> = {
  "text-classification": textClassification,
  "token-classification": tokenClassification,
};

/** The forms of their examples. */
export const exampleForms: ExampleForms = {
  distinct: [tokenClassification.form],
  fallback: labelledForm,
};
