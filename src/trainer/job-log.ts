/** Events of jobs: written to the catalog in order, and told to those who watch. */
import { EventEmitter, once } from "node:events";
import type { Tenant } from "../entities/caller.ts";
import type { JobEvent } from "../entities/job.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Ids } from "../foundation/random.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import type { Store } from "../storage/storage.ts";

/** What a job is called, and whose it is. */
export interface JobKey {
  readonly tenant: Tenant;
  readonly id: string;
}

/** What an event tells beside its sentence. */
export type Said = Pick<JobEvent, "type" | "values">;

export class JobLog {
  readonly #options: {
    readonly store: Store;
    readonly clock: Clock;
    readonly ids: Ids;
    readonly telemetry: Telemetry;
  };
  /** Emits `event <tenant> <job>` and `change <tenant> <job>`. */
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

  say(job: JobKey, message: string, said: Partial<Said> = {}): void {
    this.#append(job, { level: "info", message, ...said });
  }

  warn(job: JobKey, message: string): void {
    this.#append(job, { level: "warn", message });
  }

  fail(job: JobKey, message: string): void {
    this.#append(job, { level: "error", message });
  }

  #append(key: JobKey, said: Pick<JobEvent, "level" | "message"> & Partial<Said>): void {
    const { id: job } = key;
    const { store, clock, ids, telemetry } = this.#options;
    const id = ids.next("ftevent-");
    const usual = { type: "message", values: {} } as const;
    const event = { ...usual, ...said, id, job, createdAt: clock.now() };
    this.#tail = this.#tail
      .then(() => store.catalog.of(key).events.append(event))
      // A lost event does not end a job. On a full disk all are lost: one line tells it.
      .catch((error: unknown) => {
        if (!this.#losing.has(job))
          telemetry.log.error("Events of a job are not stored", { job, error });
        this.#losing.add(job);
      });
    this.#emitter.emit(`event ${nameOf(key)}`, event);
  }

  watch(job: JobKey, listener: (event: JobEvent) => void): () => void {
    this.#emitter.on(`event ${nameOf(job)}`, listener);
    return () => this.#emitter.off(`event ${nameOf(job)}`, listener);
  }

  /** Resolves when the job's status has been changed after this call. */
  async nextChange(job: JobKey, signal?: AbortSignal): Promise<void> {
    await once(this.#emitter, `change ${nameOf(job)}`, signal === undefined ? {} : { signal });
  }

  changed(job: JobKey): void {
    this.#losing.delete(job.id);
    this.#emitter.emit(`change ${nameOf(job)}`);
  }

  /** Resolves when all events so far are stored. */
  flush(): Promise<void> {
    return this.#tail;
  }
}

function nameOf({ tenant, id }: JobKey): string {
  return `${tenant} ${id}`;
}
