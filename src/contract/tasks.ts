/** The tasks of models by name: what has to differ by task is a table over these. */
export const taskNames = ["text-classification", "token-classification"] as const;

export type TaskName = (typeof taskNames)[number];
