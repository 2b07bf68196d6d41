/** Worker threads for the tasks of one search. Owns the threads and the queue before them. */
import { Worker } from "node:worker_threads";
import { StrataError } from "../../foundation/errors.ts";
import type { Planning } from "../../placement/judge.ts";
import type { RunTask, SearchTask, TaskResult } from "../../placement/search/search-tasks.ts";
import type { SearchReply } from "./search-reply.ts";

interface Waiting {
  readonly task: SearchTask;
  resolve(result: TaskResult): void;
  reject(error: StrataError): void;
}

export class SearchPool {
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];
  readonly #queue: Waiting[] = [];
  readonly #running = new Map<Worker, Waiting>();
  #failure: StrataError | undefined;

  constructor(planning: Planning, workerCount: number) {
    this.#workers = Array.from({ length: workerCount }, () => {
      const url = new URL("./search-worker.js", import.meta.url);
      const worker = new Worker(url, { workerData: planning });
      worker.on("message", (reply: SearchReply) => this.#settle(worker, reply));
      worker.on("error", (error) => this.#fail(error.message));
      return worker;
    });
    this.#idle = [...this.#workers];
  }

  /** INTERNAL if a thread has failed. */
  readonly run: RunTask = (task) =>
    new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#queue.push({ task, resolve, reject });
      this.#begin();
    });

  /** Ends the threads; no task may be running. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #begin(): void {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const [worker, waiting] = [this.#idle.shift(), this.#queue.shift()];
      if (worker === undefined || waiting === undefined) return;
      this.#running.set(worker, waiting);
      worker.postMessage(waiting.task);
    }
  }

  #settle(worker: Worker, reply: SearchReply): void {
    const waiting = this.#running.get(worker);
    this.#running.delete(worker);
    this.#idle.push(worker);
    if ("result" in reply) waiting?.resolve(reply.result);
    else waiting?.reject(new StrataError("INTERNAL", `Cannot search: ${reply.error}`));
    this.#begin();
  }

  #fail(reason: string): void {
    this.#failure ??= new StrataError("INTERNAL", `Cannot search: ${reason}`);
    for (const { reject } of [...this.#running.values(), ...this.#queue]) reject(this.#failure);
    this.#running.clear();
    this.#queue.length = 0;
  }
}
