/** One worker thread that owns sessions, from its start to its end, and the questions put to it. */
import { Worker } from "node:worker_threads";
import { StrataError } from "../../foundation/errors.ts";
import type { Results } from "../runtime.ts";
import type { OrtCommand, OrtOptions, OrtReply } from "./protocol.ts";

interface Pending {
  resolve(results: Results): void;
  reject(error: StrataError): void;
}

export class OrtThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  readonly #onEnd: (reason: string) => void;
  #requestCount = 0;
  #failure: StrataError | undefined;

  /** `onEnd` is called once, after everything that was asked has been rejected. */
  constructor(options: OrtOptions, onEnd: (reason: string) => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL("./ort-worker.js", import.meta.url), { workerData: options });
    // The process may end while the worker waits for commands; `close` ends it in order.
    this.#worker.unref();
    this.#worker.on("message", (reply: OrtReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#end(error.message));
    this.#worker.on("exit", () => this.#end("its thread has ended"));
  }

  ask(command: OrtCommand, buffers: readonly ArrayBufferLike[]): Promise<Results> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#requestCount++;
    // While an answer is awaited the process must not end.
    if (this.#pending.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, command }, buffers as ArrayBuffer[]); // none is shared
    });
  }

  #settle(reply: OrtReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ("results" in reply) pending?.resolve(reply.results);
    else pending?.reject(new StrataError("INTERNAL", `ONNX Runtime: ${reply.error}`));
  }

  #end(reason: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new StrataError("INTERNAL", `Cannot reach ONNX Runtime: ${reason}`);
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
    this.#onEnd(reason);
  }
}
