/**
 * A vPLM: a tenant's virtual model, which is a base, an adapter and a head. Its versions are
 * immutable and numbered from 1; `servedVersion` is the one alias and may move.
 */
import type { Digest } from "../foundation/digest.ts";
import { limits } from "../foundation/limits.ts";
import type { Pooling, Precision } from "./base-model.ts";

export interface VirtualModel {
  /** `ft:<base>:strata:<suffix>:<id>` when a job made it, else the name that the user chose. */
  readonly id: string;
  readonly base: string;
  readonly task: "text-classification";
  /** In the order of the head's outputs. */
  readonly labels: readonly string[];
  /** The version that answers; undefined until the first one exists. */
  readonly servedVersion: number | undefined;
  readonly createdAt: number;
}

/**
 * `instant`: closed-form head on the base's features. `trained`: adapter and head from a job.
 * `derived`: another version with seeded noise on its weights.
 */
export type VersionKind = "instant" | "trained" | "derived";

export interface Version {
  readonly model: string;
  readonly number: number;
  readonly kind: VersionKind;
  /** Names the safetensors blob with adapter and head. */
  readonly blob: Digest;
  readonly blobBytes: number;
  /** Size of the adapter's bottleneck; 0 when there is a head only. */
  readonly rank: number;
  /** The pooling that the head was fitted on. */
  readonly pooling: Pooling;
  /** The precision of the frozen layers that adapter and head were fitted on. */
  readonly precision: Precision;
  /** For example `devAccuracy` in [0, 1]. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly job: string | undefined;
  readonly createdAt: number;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

/** Why `name` cannot name a vPLM, or undefined when it can. */
export function nameFault(name: string): string | undefined {
  if (name.length > limits.nameCharactersMax)
    return `expected at most ${limits.nameCharactersMax} characters, got ${name.length}`;
  if (!namePattern.test(name)) return `expected letters, digits, "_", "." or "-", got "${name}"`;
  return undefined;
}

/** NUL cannot be stored as text everywhere; a lone surrogate has no UTF-8. */
export const unstorableText = /[\0\p{Surrogate}]/u;

/** Why `label` cannot be a label, or undefined when it can. */
export function labelFault(label: string): string | undefined {
  if (label.length > limits.labelCharactersMax)
    return `label has ${label.length} characters, the limit is ${limits.labelCharactersMax}`;
  if (unstorableText.test(label)) return "label holds a NUL or a lone surrogate";
  if (label.trim() === "") return "label is empty";
  if (label.trim() !== label) return `label begins or ends with white space: "${label}"`;
  return undefined;
}
