/**
 * `Trainer`: from a job to runs to a new version. Jobs run one after another in order of creation;
 * a job that was acknowledged survives kill -9 and is run again from its data. A caller's jobs are
 * those of its tenant: another one's do not exist for it.
 */
import type { TrainedTarget } from "./examples.ts";
import type { VersionWeights } from "../creator/creator.ts";
import type { Caller } from "../entities/caller.ts";
import type { Job, JobEvent, JobSpecification } from "../entities/job.ts";

export interface Trainer {
  /** Validates, stores and queues the job. */
  submit(caller: Caller, specification: JobSpecification): Promise<Job>;
  /**
   * Fits a head in closed form on the file's texts, as a model's first version that has the file's
   * labels; stores nothing.
   * NOT_FOUND without the file, INVALID_ARGUMENT when it cannot train a model, CONFLICT when the
   * base is not loaded.
   */
  fitInstant(caller: Caller, specification: InstantSpecification): Promise<VersionWeights>;
  /** NOT_FOUND without the job, CONFLICT when it has ended. A running one stops within a step. */
  cancel(caller: Caller, job: string): Promise<Job>;
  /** Resolves when the job has finished. */
  finished(caller: Caller, job: string, signal?: AbortSignal): Promise<Job>;
  /** Calls back for each event of the job from now on; the returned function unsubscribes. */
  watch(caller: Caller, job: string, listener: (event: JobEvent) => void): () => void;
  /** Puts jobs that a crash left running back into the queue, and starts working. */
  start(): Promise<void>;
  /** Stops after the current step; unfinished jobs go on after the next start. */
  close(): Promise<void>;
}

export interface InstantSpecification {
  readonly base: string;
  /** The model that it is for, where its task is asked for; else the file's decides. */
  readonly target?: TrainedTarget | undefined;
  readonly trainingFile: string;
  readonly signal?: AbortSignal;
}
