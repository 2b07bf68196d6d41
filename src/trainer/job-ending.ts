/**
 * How jobs end: what is tidied up and said, and the status that stays. The end of a run is written
 * again and again while the store refuses it, since a job that has ended must not look as if it
 * ran; a disk that is full takes a while to be emptied.
 */
import type { Creator } from "../creator/creator.ts";
import type { Caller } from "../entities/caller.ts";
import { advance, type Job } from "../entities/job.ts";
import { type Clock, pause } from "../foundation/clock.ts";
import { StrataError, wrapError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import { unlessRotten } from "../storage/checks.ts";
import type { Store } from "../storage/storage.ts";
import type { JobLog } from "./job-log.ts";

export interface Ending {
  readonly status: "succeeded" | "failed" | "cancelled";
  readonly change?: Partial<Job>;
  /** It is given for a run: what cannot be written is tried again until it aborts. */
  readonly patience?: AbortSignal;
}

export class JobEndings {
  readonly #options: {
    readonly store: Store;
    readonly creator: Creator;
    readonly clock: Clock;
    readonly telemetry: Telemetry;
    readonly log: JobLog;
  };

  constructor(options: {
    readonly store: Store;
    readonly creator: Creator;
    readonly clock: Clock;
    readonly telemetry: Telemetry;
    readonly log: JobLog;
  }) {
    this.#options = options;
  }

  /** The job as it has ended; its events are durable before the status that ends them. */
  async finish(caller: Caller, job: Job, { status, change, patience }: Ending): Promise<Job> {
    const { store, clock, telemetry, log } = this.#options;
    const key = { tenant: caller.tenant, id: job.id };
    const ended = advance(job, status, { ...change, finishedAt: clock.now() });
    const write = (step: () => Promise<void>): Promise<void> =>
      patience === undefined ? step() : this.#untilWritten(job.id, step, patience);
    if (status !== "succeeded") await write(() => this.#removeEmptyModel(caller, job));
    const left = status === "succeeded" ? undefined : await this.#servedVersion(caller, job);
    if (left !== undefined)
      log.say(key, `Version ${left} of "${job.model}" stays and can be called`);
    log.say(key, `The job has ${status === "cancelled" ? "been cancelled" : status}`);
    await log.flush();
    await write(() => store.catalog.of(caller).jobs.update(ended));
    telemetry.metrics.count("strata_jobs_total", { status });
    log.changed(key);
    return ended;
  }

  async fail(
    caller: Caller,
    job: Job,
    { error, patience }: { readonly error: unknown; readonly patience: AbortSignal },
  ): Promise<void> {
    const { telemetry, log } = this.#options;
    const { code, message } = wrapError(error, "INTERNAL", "Cannot train");
    if (code === "INTERNAL") telemetry.log.error("A job failed", { job: job.id, error });
    log.fail({ tenant: caller.tenant, id: job.id }, message);
    const change = { error: { code: code.toLowerCase(), message } };
    await this.finish(caller, job, { status: "failed", change, patience });
  }

  /** Puts a job that was running back into the line. */
  async requeue(caller: Caller, job: Job): Promise<void> {
    if (job.status === "queued") return;
    const key = { tenant: caller.tenant, id: job.id };
    this.#options.log.say(key, "The server stopped during the run; the job begins again");
    await this.#options.store.catalog.of(caller).jobs.update(advance(job, "queued"));
  }

  /**
   * Rejects when another try would not help, or when `patience` ends; the next start then runs the
   * job again.
   */
  async #untilWritten(id: string, step: () => Promise<void>, patience: AbortSignal): Promise<void> {
    const { telemetry, clock } = this.#options;
    for (;;) {
      try {
        await step();
        return;
      } catch (error) {
        const isOfTheDisk = error instanceof StrataError && error.code === "UNAVAILABLE";
        if (!isOfTheDisk || patience.aborted) throw error;
        telemetry.log.error("The end of a job could not be stored yet", { job: id, error });
        await pause(clock, limits.jobEndRetryMs, patience);
      }
    }
  }

  /** A model that the job made is deleted again if it has no version. */
  async #removeEmptyModel(caller: Caller, job: Job): Promise<void> {
    const left = await this.#ownModel(caller, job);
    if (left === undefined || left.servedVersion !== undefined) return;
    try {
      await this.#options.creator.delete(caller, left);
    } catch (error) {
      // Whoever has deleted it meanwhile has done what was to be done.
      if (!(error instanceof StrataError && error.code === "NOT_FOUND")) throw error;
    }
  }

  /** The number of the version that a job leaves which has not succeeded. */
  async #servedVersion(caller: Caller, job: Job): Promise<number | undefined> {
    return (await this.#ownModel(caller, job))?.servedVersion;
  }

  /**
   * The model that the job has made. OpenAI names none for a job that has not succeeded, so that
   * its events have to. One whose row has rotted is left as it is, and the job ends all the same.
   */
  async #ownModel(caller: Caller, { model, requestedModel, incarnation }: Job) {
    if (model === undefined || model === requestedModel) return undefined;
    const { models } = this.#options.store.catalog.of(caller);
    const found = await unlessRotten(models.get(model));
    return found?.incarnation === incarnation ? found : undefined;
  }
}
