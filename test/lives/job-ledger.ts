/** Jobs as the catalog has them: where they stand, whom they train, what they have published. */
import {
  type Change,
  isFinal,
  isOf,
  type JobLife,
  type ModelLife,
  type ModelState,
  type Surroundings,
  transitions,
} from "./ledger-entries.ts";
import type { AdapterSpecification } from "../../src/entities/virtual-model.ts";
import { smallConfig } from "../../src/checkpoints/exam-encoder.ts";
import type { Columns } from "./simulated-catalog.ts";
import { Timeline, type Unsettled } from "./timeline.ts";

/** What a job is said to have published. */
export interface Published {
  readonly life: ModelLife;
  readonly number: number;
  readonly job: string;
  readonly adapter: AdapterSpecification | undefined;
  readonly isTrained: boolean;
  readonly unsettled: Unsettled;
}

export class JobLedger {
  readonly byId = new Map<string, JobLife>();
  readonly #around: Surroundings;
  /** Versions that jobs have trained and published. */
  publishedCount = 0;
  /** Jobs whose model went before they had ended. */
  disturbedCount = 0;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** What the job has changed is known to all. */
  settle(id: string): void {
    const unsettled = this.byId.get(id)?.unsettled ?? [];
    for (const change of unsettled.splice(0)) change.settle(this.#around.step);
  }

  /** `states` are those that the model's name may have had when the job was asked for. */
  added(change: Change & { readonly kind: "job added" }, states: readonly ModelState[]): void {
    const { id, row } = change;
    const targets = states.flatMap((state) => (state === undefined ? [] : [state.life]));
    this.byId.set(id, {
      id,
      file: String(row["trainingFile"]),
      status: new Timeline(String(row["status"])),
      targets: new Set(targets),
      incarnation: String(row["incarnation"]),
      addedStep: this.#around.startOf(change),
      asked: JSON.parse(String(row["hyperparameters"])) as JobLife["asked"], // It holds just these.
      unsettled: [],
      published: [],
      model: undefined,
    });
  }

  removed(id: string): void {
    const known = this.byId.get(id);
    this.byId.delete(id);
    // What has rotted can be deleted, whatever it was.
    if (known !== undefined && known.rotStep === undefined && !isFinal(known.status.now))
      this.#around.fail(`job "${id}" went and had not ended`);
  }

  /** Returns the change that somebody must have asked for, if it is one. */
  changed(after: Columns): Change | undefined {
    const id = String(after["id"]);
    this.settle(id);
    const job = this.byId.get(id);
    if (job === undefined) {
      this.#around.fail(`job "${id}" changes and was never added`);
      return undefined;
    }
    job.rotStep = undefined;
    job.model = after["model"] === null ? undefined : String(after["model"]);
    const [from, to] = [job.status.now, String(after["status"])];
    if (from === to) return undefined;
    job.status.set(to, this.#around.step).settle(this.#around.step);
    const fault = this.#faultOf(job, from, after);
    if (fault !== undefined) this.#around.fail(`job "${id}" ${fault}`);
    return to === "cancelled" ? { kind: "job cancelled", id } : undefined;
  }

  #faultOf(job: JobLife, from: string, after: Columns): string | undefined {
    const to = job.status.now;
    if (transitions[from]?.includes(to) !== true) return `went from ${from} to ${to}`;
    if (to === "queued" && !this.#around.isBetweenRuns) return "was queued again";
    if (to === "failed" && !this.#around.hasExcuse(job))
      return `failed for no reason: ${String(after["error"])}`;
    if (to === "succeeded" && job.published.length === 0) return "succeeded with no version";
    return undefined;
  }

  /** The job that trains this model now. */
  runningFor(life: ModelLife): JobLife | undefined {
    return [...this.byId.values()].find((job) => job.status.now === "running" && isOf(job, life));
  }

  /** Whether a job makes its own model, or takes an empty one away. */
  mayMake(life: ModelLife | undefined, unsettled: Unsettled): boolean {
    for (const job of this.byId.values()) {
      if (job.incarnation !== life?.incarnation || job.targets.size > 0) continue;
      if (isFinal(job.status.now) || life.highest > 0) continue;
      job.unsettled.push(unsettled);
      return true;
    }
    return false;
  }

  /** Counts the jobs whose model goes before they have ended. */
  disturb(life: ModelLife): void {
    for (const job of this.byId.values())
      if (isOf(job, life) && !isFinal(job.status.now)) this.disturbedCount += 1;
  }

  published({ life, number, job: id, adapter, isTrained, unsettled }: Published): void {
    const job = this.byId.get(id);
    const what = `version ${number} of "${life.name}" is of a job that`;
    if (job === undefined) return this.#around.fail(`${what} nobody has asked for`);
    if (job.status.now !== "running") this.#around.fail(`${what} is ${job.status.now}`);
    if (!isOf(job, life)) this.#around.fail(`${what} was asked for an earlier model of the name`);
    if (isTrained && !isAsked(job, adapter))
      this.#around.fail(`${what} was asked for another adapter: ${JSON.stringify(adapter)}`);
    job.published.push(number);
    job.unsettled.push(unsettled);
    if (isTrained) this.publishedCount += 1;
  }
}

/** Whether the adapter is of the kind and the size that the job was asked for. */
function isAsked({ asked }: JobLife, adapter: AdapterSpecification | undefined): boolean {
  const first = asked.layers === "all" ? 0 : smallConfig.shallowLayerCount;
  const layers = Array.from(
    { length: smallConfig.layerCount - first },
    (_, index) => first + index,
  );
  return (
    adapter?.kind === (asked.adapter ?? "bottleneck") &&
    (asked.rank === undefined || adapter.rank === asked.rank) &&
    adapter.layers.join() === layers.join()
  );
}
