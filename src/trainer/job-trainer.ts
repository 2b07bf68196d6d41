/**
 * The `Trainer` of a server: one loop that runs queued jobs in order. The catalog holds every
 * job's status; in memory are only the order of the queue and the job that runs. What a job does
 * may be repeated after a crash: its model's name and incarnation are known before the model is
 * made, and a version that it has published ends it. A job is bound to an incarnation: when that is
 * deleted the job fails, whatever has the name by then.
 */
import AsyncLock from "async-lock";
import type { Creator, VersionWeights } from "../creator/creator.ts";
import { actingFor, type Caller } from "../entities/caller.ts";
import {
  advance,
  isFinished,
  type Job,
  type JobEvent,
  type JobSpecification,
  queuedJob,
} from "../entities/job.ts";
import type { VirtualModel } from "../entities/virtual-model.ts";
import { type Clock, pause } from "../foundation/clock.ts";
import { StrataError } from "../foundation/errors.ts";
import type { Ids } from "../foundation/random.ts";
import { limits } from "../foundation/limits.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import { loadExamples, type TrainedTarget, type TrainingExamples } from "./examples.ts";
import { checkJob, type JobChecks } from "./job-checks.ts";
import { JobEndings } from "./job-ending.ts";
import { type JobKey, JobLog, type Said } from "./job-log.ts";
import { trainModel } from "./train-model.ts";
import type { InstantSpecification, Trainer } from "./trainer.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { instantVersion } from "./version-weights.ts";
import { requireModel, requireRow } from "../storage/checks.ts";

export interface JobTrainerOptions extends JobChecks {
  readonly creator: Creator;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly telemetry: Telemetry;
  /** CONFLICT, with the reason, for a base that is not loaded. */
  openBase(id: string): Promise<TrainingBase>;
}

/** The reason with which a running job is aborted when the server stops. */
const closing = new StrataError("CANCELLED", "The server is stopping");
/** The reason with which it is aborted when its caller cancels it. */
const cancelled = new StrataError("CANCELLED", "The job was cancelled");

export class JobTrainer implements Trainer {
  readonly #options: JobTrainerOptions;
  readonly #log: JobLog;
  readonly #endings: JobEndings;
  #queue: JobKey[] = [];
  /** A job comes into the queue, and is taken from it to be cancelled, in turns. */
  readonly #turns = new AsyncLock({ maxPending: Infinity });
  #running: { readonly job: JobKey; readonly abort: AbortController } | undefined;
  /** Whether the loop waits for the disk to come back. */
  #isResting = false;
  #loop: Promise<void> = Promise.resolve();
  /** It is aborted while the trainer is closed. */
  #stop = new AbortController();

  constructor(options: JobTrainerOptions) {
    this.#options = options;
    this.#log = new JobLog(options);
    this.#endings = new JobEndings({ ...options, log: this.#log });
    this.#stop.abort(closing);
  }

  async submit(caller: Caller, specification: JobSpecification): Promise<Job> {
    const { store, ids, clock } = this.#options;
    if (this.#queue.length >= limits.queuedJobCountMax)
      throw new StrataError(
        "OVERLOADED",
        `Cannot queue the job: ${this.#queue.length} are waiting, the limit is ` +
          `${limits.queuedJobCountMax}`,
        { retryAfterMs: 60_000 },
      );
    const known = await checkJob(caller, this.#options, specification);
    const job = queuedJob(specification, {
      id: ids.next("ftjob-"),
      target: known ?? { incarnation: ids.next("vplm-") },
      createdAt: clock.now(),
    });
    const key = keyOf(caller, job.id);
    return this.#turns.acquire(job.id, async () => {
      try {
        await store.catalog.of(caller).jobs.insert(job);
        this.#log.say(key, `Created fine-tuning job: ${job.id}`);
      } finally {
        // Also when that fails: the row may have been committed all the same, and would wait.
        this.#queue.push(key);
        this.#wake();
      }
      return job;
    });
  }

  async fitInstant(caller: Caller, specification: InstantSpecification): Promise<VersionWeights> {
    const { target, trainingFile, signal } = specification;
    const base = await this.#options.openBase(specification.base);
    const examples = await this.#load(caller, base, { trainingFile, target, signal });
    return instantVersion(base, examples, signal);
  }

  async cancel(caller: Caller, id: string): Promise<Job> {
    const key = keyOf(caller, id);
    if (this.#running !== undefined && isSame(this.#running.job, key)) {
      const { abort } = this.#running;
      abort.abort(cancelled);
      if (abort.signal.reason !== closing) return this.finished(caller, id);
      // It is on its way back into the queue, from which it can be taken then.
      await this.#loop;
    }
    const ended = await this.#turns.acquire(id, () => this.#cancelWaiting(caller, id));
    // It has begun to run before its turn came.
    return ended ?? this.cancel(caller, id);
  }

  /** Cancels a job that does not run; undefined when it runs by now. */
  async #cancelWaiting(caller: Caller, id: string): Promise<Job | undefined> {
    const key = keyOf(caller, id);
    if (this.#running !== undefined && isSame(this.#running.job, key)) return undefined;
    // Before its row is read: nobody runs it, and so nobody ends it, from here on.
    const others = this.#queue.filter((queued) => !isSame(queued, key));
    const hasWaited = others.length < this.#queue.length;
    this.#queue = others;
    try {
      const job = await this.#job(caller, id);
      if (isFinished(job.status))
        throw new StrataError("CONFLICT", `Cannot cancel job "${id}": it has ${job.status}`);
      return await this.#endings.finish(caller, job, { status: "cancelled" });
    } catch (error) {
      // It has not ended, as far as anybody knows.
      if (hasWaited) this.#queue.push(key);
      this.#wake();
      throw error;
    }
  }

  async finished(caller: Caller, id: string, signal?: AbortSignal): Promise<Job> {
    for (;;) {
      const over = new AbortController();
      const signals = [over.signal, ...(signal === undefined ? [] : [signal])];
      const changed = this.#log.nextChange(keyOf(caller, id), AbortSignal.any(signals));
      // Nobody may be waiting for it any more when it is given up.
      void changed.catch(() => {});
      try {
        const job = await this.#job(caller, id);
        if (isFinished(job.status)) return job;
        await changed;
      } finally {
        over.abort();
      }
    }
  }

  watch(caller: Caller, job: string, listener: (event: JobEvent) => void): () => void {
    return this.#log.watch(keyOf(caller, job), listener);
  }

  async start(): Promise<void> {
    const { system } = this.#options.store.catalog;
    for await (const { tenant, ...job } of system.jobs()) {
      if (isFinished(job.status)) continue;
      await this.#endings.requeue(actingFor(tenant), job);
      this.#queue.push({ tenant, id: job.id });
    }
    this.#stop = new AbortController();
    this.#wake();
  }

  async close(): Promise<void> {
    this.#stop.abort(closing);
    this.#running?.abort.abort(closing);
    await this.#loop;
    await this.#log.flush();
  }

  #wake(): void {
    if (this.#stop.signal.aborted || this.#running !== undefined || this.#isResting) return;
    this.#loop = this.#work();
  }

  async #work(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      const abort = new AbortController();
      this.#running = { job, abort };
      let isDiskAtFault = false;
      try {
        await this.#run(actingFor(job.tenant), job.id, abort);
      } catch (error) {
        const { log } = this.#options.telemetry;
        log.error("A job could not be brought to an end", { job: job.id, error });
        isDiskAtFault = error instanceof StrataError && error.code === "UNAVAILABLE";
      } finally {
        this.#running = undefined;
      }
      if (isDiskAtFault) await this.#tryLater(job);
    }
  }

  /** The others come first. A job whose row has rotted is left to the next start. */
  async #tryLater(job: JobKey): Promise<void> {
    this.#queue.push(job);
    this.#isResting = true;
    await pause(this.#options.clock, limits.jobEndRetryMs, this.#stop.signal);
    this.#isResting = false;
  }

  async #run(caller: Caller, id: string, abort: AbortController): Promise<void> {
    const { jobs } = this.#options.store.catalog.of(caller);
    const patience = this.#stop.signal;
    const queued = await jobs.get(id);
    if (queued === undefined || isFinished(queued.status)) return;
    let job = advance(queued, "running");
    const reached = async (next: Job): Promise<void> => {
      await jobs.update(next);
      job = next;
    };
    let change: Partial<Job>;
    try {
      await reached(job);
      const named = (model: string): Promise<void> => reached({ ...job, model });
      const { model, trainedTokenCount } = await this.#train(caller, job, { abort, named });
      change = { model, trainedTokens: trainedTokenCount };
    } catch (error) {
      const reason: unknown = abort.signal.reason;
      if (reason === closing) await this.#endings.requeue(caller, job);
      else if (reason === cancelled)
        await this.#endings.finish(caller, job, { status: "cancelled", patience });
      else await this.#endings.fail(caller, job, { error: reason ?? error, patience });
      return;
    }
    await this.#endings.finish(caller, job, { status: "succeeded", change, patience });
  }

  async #train(
    caller: Caller,
    job: Job,
    run: { readonly abort: AbortController; named(model: string): Promise<void> },
  ): Promise<{ readonly model: string; readonly trainedTokenCount: number | undefined }> {
    const { store, creator } = this.#options;
    const existing = await this.#target(caller, job);
    const own = store.catalog.of(caller);
    if (existing !== undefined) {
      const wanted = { limit: 1, where: { job: job.id } };
      const [made] = await own.versions.list(existing.incarnation, wanted);
      // The run before a crash had come to its end, and its count of tokens went with it.
      if (made !== undefined) return { model: existing.id, trainedTokenCount: undefined };
    }
    const { signal } = run.abort;
    const base = await this.#options.openBase(existing?.base ?? job.requestedModel);
    const examples = await this.#load(caller, base, {
      ...job,
      target: existing,
      signal,
    });
    const key = keyOf(caller, job.id);
    const say = (message: string, said?: Partial<Said>): void => {
      this.#log.say(key, message, said);
      if (said?.type === "metrics") void this.#stopIfDeleted(caller, job.id, run.abort);
    };
    const warn = (message: string): void => this.#log.warn(key, message);
    for (const complaint of examples.complaints) warn(complaint);
    const model = existing ?? (await this.#modelOf(caller, job, examples));
    await run.named(model.id);
    const options = { caller, base, store, creator, model, job, signal, say, warn };
    const { trainedTokenCount } = await trainModel(examples, options);
    return { model: model.id, trainedTokenCount };
  }

  /**
   * The vPLM that the job is bound to; undefined while it is yet to be created. NOT_FOUND when it
   * has been deleted.
   */
  async #target(
    caller: Caller,
    { model, incarnation, ...job }: Job,
  ): Promise<VirtualModel | undefined> {
    const own = this.#options.store.catalog.of(caller);
    if (model !== undefined) return requireModel(own, { id: model, incarnation });
    const found = await own.models.get(nameOf(job));
    // The creator refuses a name that another model has taken.
    return found?.incarnation === incarnation ? found : undefined;
  }

  /** A run whose model is gone has nothing to train for. */
  async #stopIfDeleted(caller: Caller, id: string, abort: AbortController): Promise<void> {
    try {
      await this.#target(caller, await this.#job(caller, id));
    } catch (error) {
      const isGone = error instanceof StrataError && error.code === "NOT_FOUND";
      if (isGone && !abort.signal.aborted) abort.abort(error);
    }
  }

  /** The vPLM of a job that named a base. */
  #modelOf(caller: Caller, job: Job, { kind, labels }: TrainingExamples): Promise<VirtualModel> {
    const { incarnation, requestedModel: base } = job;
    const identity = { id: nameOf(job), incarnation };
    return this.#options.creator.create(caller, { ...identity, base, task: kind.name, labels });
  }

  #load(
    caller: Caller,
    base: TrainingBase,
    options: {
      readonly trainingFile: string;
      readonly validationFile?: string | undefined;
      readonly target: TrainedTarget | undefined;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<TrainingExamples> {
    const { trainingFile, validationFile, target, signal } = options;
    const wanted = { trainingFile, validationFile, target, signal };
    return base.checkpoint
      .tokenizer()
      .then((tokenizer) => loadExamples(caller, this.#options.files, { ...wanted, tokenizer }));
  }

  #job(caller: Caller, id: string): Promise<Job> {
    const { jobs } = this.#options.store.catalog.of(caller);
    return requireRow("job", jobs, { id, field: "id" });
  }
}

/** What a job's own vPLM is called. */
function nameOf({ id, requestedModel, suffix }: Pick<Job, "id" | "requestedModel" | "suffix">) {
  return `ft:${requestedModel}:strata:${suffix ?? ""}:${id.slice(-8)}`;
}

function keyOf({ tenant }: Caller, id: string): JobKey {
  return { tenant, id };
}

function isSame(one: JobKey, other: JobKey): boolean {
  return one.tenant === other.tenant && one.id === other.id;
}
