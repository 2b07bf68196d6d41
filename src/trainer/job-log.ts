/** Events of jobs: written to the catalog in order, and told to those who watch. */
import { EventEmitter, once } from "node:events";
import type { JobEvent } from "../entities/job.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Ids } from "../foundation/random.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import type { Store } from "../storage/storage.ts";

export class JobLog {
  readonly #options: {
    readonly store: Store;
    readonly clock: Clock;
    readonly ids: Ids;
    readonly telemetry: Telemetry;
  };
  /** Emits `event <job>` and `change <job>`. */
  readonly #emitter = new EventEmitter().setMaxListeners(0);
  #tail: Promise<void> = Promise.resolve();
  /** Jobs that have lost an event, which has been told; until their status changes. */
  readonly #losing = new Set<string>();

  constructor(options: {
    readonly store: Store;
    readonly clock: Clock;
    readonly ids: Ids;
    readonly telemetry: Telemetry;
  }) {
    this.#options = options;
  }

  say(job: string, message: string, values: Readonly<Record<string, number>> = {}): void {
    this.#append({ job, level: "info", message, values });
  }

  warn(job: string, message: string): void {
    this.#append({ job, level: "warn", message, values: {} });
  }

  fail(job: string, message: string): void {
    this.#append({ job, level: "error", message, values: {} });
  }

  #append(said: Pick<JobEvent, "job" | "level" | "message" | "values">): void {
    const { job, values } = said;
    const { store, clock, ids, telemetry } = this.#options;
    const type = "step" in values ? "metrics" : "message";
    const event = { ...said, id: ids.next("ftevent-"), type, createdAt: clock.now() } as const;
    this.#tail = this.#tail
      .then(() => store.catalog.events.append(event))
      // A lost event does not end a job. On a full disk all are lost: one line tells it.
      .catch((error: unknown) => {
        if (!this.#losing.has(job))
          telemetry.log.error("Events of a job are not stored", { job, error });
        this.#losing.add(job);
      });
    this.#emitter.emit(`event ${job}`, event);
  }

  watch(job: string, listener: (event: JobEvent) => void): () => void {
    this.#emitter.on(`event ${job}`, listener);
    return () => this.#emitter.off(`event ${job}`, listener);
  }

  /** Resolves when the job's status has been changed after this call. */
  async nextChange(job: string, signal?: AbortSignal): Promise<void> {
    await once(this.#emitter, `change ${job}`, signal === undefined ? {} : { signal });
  }

  changed(job: string): void {
    this.#losing.delete(job);
    this.#emitter.emit(`change ${job}`);
  }

  /** Resolves when all events so far are stored. */
  flush(): Promise<void> {
    return this.#tail;
  }
}
