/** A job: training that was asked for. Its status only moves along `transitions`. */
import { assert } from "../foundation/assert.ts";
import type { AdaptedLayers, AdapterKindName } from "../foundation/kind-names.ts";
import type { Incarnation, ModelIdentity } from "./virtual-model.ts";

export type JobStatus =
  | "validating_files"
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "cancelled";

/** Chosen by the user, or "auto" already resolved by the trainer. */
export interface Hyperparameters {
  readonly epochCount: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly adapter: AdapterKindName;
  /** The width between the adapter's two matrices. */
  readonly rank: number;
  readonly layers: AdaptedLayers;
}

/** What a job learns by that names no rate, and what a multiplier on the wire multiplies. */
export const defaultLearningRate = 1e-3;

export interface Job {
  readonly id: `ftjob-${string}`;
  /** What the request named: a base model, or a vPLM to train further. */
  readonly requestedModel: string;
  /** The vPLM that the job trains; undefined until it is created, if the request named a base. */
  readonly model: string | undefined;
  /**
   * That vPLM's incarnation, also before it is created: another one of its name is none of this
   * job's.
   */
  readonly incarnation: Incarnation;
  readonly suffix: string | undefined;
  readonly trainingFile: string;
  readonly validationFile: string | undefined;
  readonly hyperparameters: Partial<Hyperparameters>;
  readonly seed: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: JobStatus;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  /** Undefined also after a crash that has lost the count of a run which had published. */
  readonly trainedTokens: number | undefined;
  readonly createdAt: number;
  readonly finishedAt: number | undefined;
}

/**
 * `metrics`: how far training has come. `instant_version`: a version answers while it goes on.
 * `message`: anything else.
 */
export type JobEventType = "message" | "metrics" | "instant_version";

/** What stands before the name of a score of held-out texts in the values of `metrics`. */
export const heldOutPrefix = "valid_";

export interface JobEvent {
  readonly id: `ftevent-${string}`;
  readonly job: string;
  readonly level: "info" | "warn" | "error";
  readonly type: JobEventType;
  readonly message: string;
  readonly values: Readonly<Record<string, number>>;
  readonly createdAt: number;
}

const transitions: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  validating_files: ["queued", "failed", "cancelled"],
  queued: ["running", "failed", "cancelled"],
  // A run that a crash ended goes back to the queue.
  running: ["succeeded", "failed", "cancelled", "queued"],
  succeeded: [],
  failed: [],
  cancelled: [],
};

export function isFinished(status: JobStatus): boolean {
  return transitions[status].length === 0;
}

/** What a request for a job names; what is left out gets its default. */
export interface JobSpecification {
  /** A base model, or an existing vPLM. */
  readonly model: string;
  readonly trainingFile: string;
  readonly validationFile?: string;
  readonly suffix?: string;
  readonly seed?: number;
  readonly hyperparameters?: Partial<Hyperparameters>;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** What a job is given when it is submitted. */
export interface JobBeginning {
  readonly id: Job["id"];
  /** The vPLM to train; without a name when it is yet to be created. */
  readonly target: Partial<ModelIdentity> & Pick<ModelIdentity, "incarnation">;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** A job as it begins. */
export function queuedJob(specification: JobSpecification, beginning: JobBeginning): Job {
  const { model, trainingFile, validationFile, suffix } = specification;
  const { id, target, createdAt } = beginning;
  return {
    id,
    requestedModel: model,
    model: target.id,
    incarnation: target.incarnation,
    suffix,
    trainingFile,
    validationFile,
    hyperparameters: specification.hyperparameters ?? {},
    seed: specification.seed ?? 0,
    metadata: specification.metadata ?? {},
    status: "queued",
    error: undefined,
    trainedTokens: undefined,
    createdAt,
    finishedAt: undefined,
  };
}

/** The job with its next status; anything else than a legal transition is our bug. */
export function advance(job: Job, status: JobStatus, change: Partial<Job> = {}): Job {
  assert(transitions[job.status].includes(status), `Job cannot go ${job.status} -> ${status}`);
  return { ...job, ...change, status };
}
