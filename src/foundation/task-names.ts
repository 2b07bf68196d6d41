/**
 * The tasks of models by name, for what knows no kinds of tasks: what is asked of a name stands in
 * `tasks/`, what has to differ by task elsewhere is a table over these.
 */
export const taskNames = ["text-classification", "token-classification"] as const;

/** What a model answers: one label for a text, or spans of it with their labels. */
export type TaskName = (typeof taskNames)[number];
