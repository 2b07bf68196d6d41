/** An uploaded file: bytes by digest, and what the check of its lines found. */
import type { Digest } from "../foundation/digest.ts";

export interface TrainingFile {
  readonly id: `file-${string}`;
  readonly filename: string;
  readonly purpose: string;
  readonly bytes: number;
  readonly blob: Digest;
  readonly createdAt: number;
  /** Which rows cannot be used and why; undefined when all can. */
  readonly faultSummary: string | undefined;
}
