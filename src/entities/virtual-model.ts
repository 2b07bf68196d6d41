/**
 * A vPLM: a tenant's virtual model, which is a base, an adapter and a head. Its versions are
 * immutable and numbered from 1; `servedVersion` is the one alias and may move. A name may be used
 * again after a deletion; what must not confuse the two models holds on to the incarnation.
 */
import type { Digest } from "../foundation/digest.ts";
import { limits } from "../foundation/limits.ts";
import type { AdapterKindName, TaskName } from "../foundation/kind-names.ts";
import { unstorableText } from "../foundation/visible.ts";
import type { Pooling, Precision } from "./base-model.ts";

/** The task of a model for which nothing else is said. */
export const defaultTask: TaskName = "text-classification";

export interface VirtualModel {
  /** `ft:<base>:strata:<suffix>:<id>` when a job made it, else the name that the user chose. */
  readonly id: string;
  readonly incarnation: Incarnation;
  readonly base: string;
  readonly task: TaskName;
  /** Those of the version that answers; until there is one, those of the specification. */
  readonly labels: readonly string[];
  /** The version that answers; undefined until the first one exists. */
  readonly servedVersion: number | undefined;
  /** The highest number that a version has had; a deleted version's number is not given again. */
  readonly versionCount: number;
  readonly createdAt: number;
}

/** Identity of a model: drawn when it is created, never given again. */
export type Incarnation = `vplm-${string}`;

/** A model by its name, and by what tells it from others that had the name. */
export type ModelIdentity = Pick<VirtualModel, "id" | "incarnation">;

/**
 * `instant`: closed-form head on the base's features. `trained`: adapter and head from a job.
 * `derived`: another version with seeded noise on its weights.
 */
export type VersionKind = "instant" | "trained" | "derived";

export interface AdapterSpecification {
  readonly kind: AdapterKindName;
  /** The width between its two matrices, from 1 to `limits.adapterRankMax`. */
  readonly rank: number;
  /** The layers of the base that it acts in, ascending. */
  readonly layers: readonly number[];
}

/** How a base computes its lower layers: as it was pretrained, or by looking tri-grams up. */
export type BaseForm = "dense" | "hierarchical";

/** What of a base a version was fitted on: it is served on no other form, and no other domain. */
export interface FittedOn {
  readonly form: BaseForm;
  /** The domain whose lookup table the form reads; undefined for the general one, or without. */
  readonly domain: string | undefined;
  /** The pooling that the head was fitted on. */
  readonly pooling: Pooling;
  /** The precision of the frozen layers that adapter and head were fitted on. */
  readonly precision: Precision;
}

/** What a version was fitted for, and on what. */
export interface VersionFit extends FittedOn {
  readonly task: TaskName;
  /** Labels are in the order of the head's outputs; a later version may have more. */
  readonly labels: readonly string[];
  /** Undefined when there is a head alone. */
  readonly adapter: AdapterSpecification | undefined;
}

/** Whether a version was served when it was published; the alias may have moved since. */
export type Outcome = "served" | "not_served";

export interface Version extends VersionFit {
  readonly model: Incarnation;
  readonly number: number;
  readonly kind: VersionKind;
  /** Names the safetensors blob with adapter and head. */
  readonly blob: Digest;
  readonly blobBytes: number;
  /** The shapes of the blob's weights; undefined for a version from before they were recorded. */
  readonly shapes: Readonly<Record<string, readonly number[]>> | undefined;
  /** Figures by name, such as `devAccuracy` in [0, 1]. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Names the blob that tells what was learned from and what was held out. */
  readonly evidence: Digest | undefined;
  /** Undefined for a version from before it was recorded, and without a verdict to tell it. */
  readonly outcome: Outcome | undefined;
  /** Why it was served when it was published, or why not, in a sentence. */
  readonly verdict: string | undefined;
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

/** Why `label` cannot be a label, or undefined when it can. */
export function labelFault(label: string): string | undefined {
  if (label.length > limits.labelCharactersMax)
    return `label has ${label.length} characters, the limit is ${limits.labelCharactersMax}`;
  if (unstorableText.test(label)) return "label holds a NUL or a lone surrogate";
  if (label.trim() === "") return "label is empty";
  if (label.trim() !== label) return `label begins or ends with white space: "${label}"`;
  return undefined;
}
