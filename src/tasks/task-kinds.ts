/** The kinds of tasks that there are. */
import type { ExampleForm } from "../datasets/example-form.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { TaskKind } from "./tasks.ts";
import { textClassification } from "./text-classification.ts";
import { tokenClassification } from "./token-classification.ts";

/**
 * The order is that in which their forms are asked whose rows a file has: the last one takes what
 * no other knows.
 */
export const taskKinds: Readonly<Record<TaskName, TaskKind>> = {
  "token-classification": tokenClassification,
  "text-classification": textClassification,
};

/** The forms of their examples. */
export const exampleForms: readonly ExampleForm[] = Object.values(taskKinds).map(
  ({ form }) => form,
);
