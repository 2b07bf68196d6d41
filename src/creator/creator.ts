/**
 * `Creator`: from a specification to a vPLM, and from trained weights to a served version. It is
 * the only writer of models and versions. A caller's models are those of its tenant: another one's
 * do not exist for it.
 */
import type { Caller } from "../entities/caller.ts";
import type {
  Incarnation,
  ModelIdentity,
  Version,
  VersionFit,
  VersionKind,
  VirtualModel,
} from "../entities/virtual-model.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Weights } from "../entities/weights.ts";

export interface Creator {
  /**
   * Creates the model: without a version, or together with the one that `fit` gives, served at
   * once. `fit` is called when all is checked; until it has given its weights nothing is stored.
   * Faults of the specification and an unknown base give INVALID_ARGUMENT, an id that a model or a
   * base has ALREADY_EXISTS.
   */
  create(
    caller: Caller,
    specification: ModelSpecification,
    fit?: () => Promise<VersionWeights>,
  ): Promise<VirtualModel>;
  /**
   * Stores weights as the next version; serves it at once when `isServed`. NOT_FOUND when the model
   * is gone, though another one may have its name; INVALID_ARGUMENT when a weight is not finite;
   * CONFLICT when it replaces a version that is not the served one any more.
   */
  publish(caller: Caller, model: ModelIdentity, weights: VersionWeights): Promise<Version>;
  /**
   * Creates models from another one's served version with seeded noise added to its weights: all
   * of them or none. NOT_FOUND without the source, CONFLICT when it serves no version yet,
   * ALREADY_EXISTS when an id is taken, INVALID_ARGUMENT for the rest.
   */
  derive(caller: Caller, options: DeriveOptions): Promise<readonly VirtualModel[]>;
  /** Moves the alias to another version of the model; NOT_FOUND without model or version. */
  serve(caller: Caller, model: ModelIdentity, version: number): Promise<VirtualModel>;
  /** Deletes a version; NOT_FOUND without model or version, CONFLICT for the served one. */
  deleteVersion(caller: Caller, model: ModelIdentity, version: number): Promise<void>;
  /** Deletes the model, its versions, and blobs that nothing else names. NOT_FOUND if absent. */
  delete(caller: Caller, model: ModelIdentity): Promise<void>;
  /**
   * Deletes a model whose row has rotted, with its versions; their blobs are left to a sweep.
   * NOT_FOUND if absent, CONFLICT when the row can be read.
   */
  discard(caller: Caller, id: string): Promise<void>;
}

export interface ModelSpecification {
  readonly id: string;
  readonly base: string;
  /** `defaultTask` when absent. That of its first version counts when it is made with one. */
  readonly task?: TaskName | undefined;
  /**
   * Distinct, as many as the task needs. Those of its first version count when it is made with one:
   * they come from a file that was checked.
   */
  readonly labels?: readonly string[] | undefined;
  /** It is drawn when it is left out. */
  readonly incarnation?: Incarnation;
}

/** The learned parts of a version, by tensor name; see `models/version-tensors.ts`. */
export interface VersionWeights extends VersionFit {
  readonly kind: VersionKind;
  readonly tensors: Weights;
  readonly metrics: Readonly<Record<string, number>>;
  /** What was learned from and what was held out, as `trainer/` writes it. */
  readonly evidence?: Uint8Array;
  /** Why it is served or not, in a sentence. */
  readonly verdict?: string;
  readonly job?: string;
  readonly isServed: boolean;
  /** The version that it was compared with; undefined when there was none. */
  readonly replaces?: number | undefined;
}

export interface DeriveOptions {
  readonly source: ModelIdentity;
  readonly ids: readonly string[];
  /** Standard deviation of the noise, relative to the root mean square of each tensor. */
  readonly noise: number;
  /** The weights of model i are a function of the source, the noise, the seed and i. */
  readonly seed: number;
  /** Rejects with its reason, and nothing is made. */
  readonly signal?: AbortSignal;
}
