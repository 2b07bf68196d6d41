/** An uploaded file: bytes by digest, and what the check of its lines found. */
import type { Digest } from "../foundation/digest.ts";
import type { TaskName } from "../foundation/kind-names.ts";

export interface TrainingFile {
  readonly id: `file-${string}`;
  readonly filename: string;
  readonly purpose: string;
  readonly bytes: number;
  readonly blob: Digest;
  /**
   * The task that its rows are examples of; undefined where it was not read when it came, because
   * of its purpose, or in a file from before it was recorded: then it is found when it is used.
   */
  readonly task: TaskName | undefined;
  readonly createdAt: number;
  /** Which rows cannot be used and why; undefined when all can. */
  readonly faultSummary: string | undefined;
}
