/** What the ledger holds: lives of models, versions, files and jobs, and changes to them. */
import type { Hyperparameters } from "../../src/entities/job.ts";
import type { AdapterSpecification } from "../../src/entities/virtual-model.ts";
import type { TaskName } from "../../src/foundation/kind-names.ts";
import type { Digest } from "../../src/foundation/digest.ts";
import type { Columns } from "./simulated-catalog.ts";
import type { Timeline, Unsettled } from "./timeline.ts";

/** One model of a name, from its creation to its deletion. */
export interface ModelLife {
  readonly name: string;
  readonly incarnation: string;
  readonly versions: Map<number, VersionLife>;
  /** The highest number that a version has had. */
  highest: number;
}

/** What a name means: undefined while there is no model. */
export type ModelState =
  | {
      readonly life: ModelLife;
      readonly served: number | undefined;
      readonly labels: string;
      readonly task: TaskName;
      /** The step at which the row has rotted, until it is written anew. */
      readonly rotStep?: number;
    }
  | undefined;

export interface VersionLife {
  readonly life: ModelLife;
  readonly number: number;
  readonly task: TaskName;
  readonly labels: readonly string[];
  readonly blob: Digest;
  readonly evidence: Digest | undefined;
  readonly adapter: AdapterSpecification | undefined;
  readonly kind: string;
  readonly job: string | undefined;
  /** The weights as they were when the version was committed. */
  readonly weights: Uint8Array;
  readonly presence: Timeline<boolean>;
  /** The step at which the row has rotted. */
  rotStep?: number;
}

export interface FileLife {
  readonly id: string;
  readonly blob: Digest;
  readonly bytes: Uint8Array;
  readonly presence: Timeline<boolean>;
  /** The step at which the row has rotted. */
  rotStep?: number;
}

export interface JobLife {
  readonly id: string;
  readonly file: string;
  readonly status: Timeline<string>;
  /** The models that its request may have meant; empty for one that makes its own. */
  readonly targets: ReadonlySet<ModelLife>;
  readonly incarnation: string;
  readonly addedStep: number;
  /** What it was asked to learn by. */
  readonly asked: Partial<Hyperparameters>;
  /** What it has changed and may not have told everybody yet. */
  readonly unsettled: Unsettled[];
  /** The numbers of versions that it has published. */
  readonly published: number[];
  model: string | undefined;
  /** The step at which the row has rotted, until it is written anew. */
  rotStep?: number | undefined;
}

export type Change =
  | { readonly kind: "file added"; readonly id: string; readonly blob: string }
  | { readonly kind: "file removed"; readonly id: string }
  | { readonly kind: "model added"; readonly name: string; readonly row: Columns }
  /** `isByJob` tells that a job may have done it, though somebody has asked for it too. */
  | { readonly kind: "model removed"; readonly name: string; readonly isByJob: boolean }
  | { readonly kind: "alias moved"; readonly name: string; readonly number: number }
  | { readonly kind: "version added"; readonly name: string; readonly row: Columns }
  | { readonly kind: "version removed"; readonly name: string; readonly number: number }
  | { readonly kind: "job added"; readonly id: string; readonly row: Columns }
  | { readonly kind: "job cancelled"; readonly id: string }
  | { readonly kind: "job removed"; readonly id: string };

/** What the ledger asks of the world around it. */
export interface Surroundings {
  readonly step: number;
  /** Whether jobs may go back into the queue: the server starts or stops. */
  readonly isBetweenRuns: boolean;
  /**
   * Tells who may have made the change, and gives them a share in it; false when nobody has asked
   * for it.
   */
  claim(change: Change, unsettled: Unsettled | undefined): boolean;
  /** The time at which the request was made that is answered by this job. */
  startOf(change: Change): number;
  /** The bytes under this name, if they are what it says, or if they are known to be spoilt. */
  whole(digest: Digest): Uint8Array | undefined;
  fail(message: string): void;
  /** Why a job may have failed, as far as it is no fault of Strata. */
  hasExcuse(job: JobLife): boolean;
}

/** The statuses that may follow each one of a job that is not final. */
export const transitions: Readonly<Record<string, readonly string[]>> = {
  queued: ["running", "failed", "cancelled"],
  running: ["succeeded", "failed", "cancelled", "queued"],
};

export function isFinal(status: string): boolean {
  return transitions[status] === undefined;
}

/** Whether the job was asked for this model, and no other of its name. */
export function isOf({ targets, incarnation }: JobLife, life: ModelLife): boolean {
  return targets.size > 0 ? targets.has(life) : incarnation === life.incarnation;
}
