/** ONNX Runtime on the CPU, in one worker thread of its own. */
import { Worker } from "node:worker_threads";
import { StrataError } from "../../foundation/errors.ts";
import { toOnnx } from "../../tensor/onnx/to-onnx.ts";
import type { Graph, TensorType } from "../../tensor/tensor.ts";
import { bindFeeds } from "../feeds.ts";
import type { Feeds, LoadOptions, Program, Results, Runtime, StateNames } from "../runtime.ts";
import { silenceOrt } from "./load-ort.ts";
import { type OrtCommand, type OrtOptions, type OrtReply, transfers } from "./protocol.ts";

interface Pending {
  resolve(results: Results): void;
  reject(error: StrataError): void;
}

export class OrtRuntime implements Runtime {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #requestCount = 0;
  #programCount = 0;
  #failure: StrataError | undefined;

  constructor(options: OrtOptions) {
    silenceOrt();
    this.#worker = new Worker(new URL("./ort-worker.js", import.meta.url), { workerData: options });
    // The process may end while the worker waits for commands; `close` ends it in order.
    this.#worker.unref();
    this.#worker.on("message", (reply: OrtReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error.message));
    this.#worker.on("exit", () => this.#fail("its thread has ended"));
  }

  async load(graph: Graph, options: LoadOptions = {}): Promise<Program> {
    const { constants = new Map(), state = {} } = options;
    const { bytes, inputs, outputs } = toOnnx(graph, constants);
    const program = this.#programCount++;
    await this.#ask({ kind: "load", program, model: bytes, outputs: [...outputs.keys()], state }, [
      bytes.buffer,
    ]);
    return new OrtProgram({ inputs, state, ask: (c, buffers) => this.#ask(c, buffers), program });
  }

  async close(): Promise<void> {
    if (this.#failure === undefined) await this.#ask({ kind: "close" }, []);
  }

  #ask(command: OrtCommand, buffers: readonly ArrayBufferLike[]): Promise<Results> {
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

  #fail(reason: string): void {
    this.#failure ??= new StrataError("INTERNAL", `Cannot reach ONNX Runtime: ${reason}`);
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }
}

interface OrtProgramOptions {
  readonly program: number;
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly state: StateNames;
  readonly ask: (command: OrtCommand, buffers: readonly ArrayBufferLike[]) => Promise<Results>;
}

class OrtProgram implements Program {
  readonly #options: OrtProgramOptions;
  /** Inputs that come with each run, and those that stay between runs. */
  readonly #fed: ReadonlyMap<string, TensorType>;
  readonly #kept: ReadonlyMap<string, TensorType>;
  readonly #written = new Set<string>();

  constructor(options: OrtProgramOptions) {
    this.#options = options;
    const isKept = ([name]: readonly [string, TensorType]): boolean => name in options.state;
    this.#kept = new Map([...options.inputs].filter(isKept));
    this.#fed = new Map([...options.inputs].filter((entry) => !isKept(entry)));
  }

  async run(feeds: Feeds): Promise<Results> {
    bindFeeds(this.#fed, feeds);
    for (const name of this.#kept.keys())
      if (!this.#written.has(name)) throw refuse("run graph", `state "${name}" was never written`);
    const { program, ask } = this.#options;
    return ask({ kind: "run", program, feeds }, transfers(feeds));
  }

  async write(values: Feeds): Promise<void> {
    const names = Object.keys(values);
    bindFeeds(new Map(names.map((name) => [name, this.#state(name)])), values);
    for (const name of names) this.#written.add(name);
    const { program, ask } = this.#options;
    await ask({ kind: "write", program, feeds: values }, transfers(values));
  }

  async read(names: readonly string[]): Promise<Results> {
    for (const name of names) {
      this.#state(name);
      if (!this.#written.has(name)) throw refuse("read state", `"${name}" was never written`);
    }
    const { program, ask } = this.#options;
    return ask({ kind: "read", program, names }, []);
  }

  async release(): Promise<void> {
    const { program, ask } = this.#options;
    await ask({ kind: "release", program }, []);
  }

  #state(name: string): TensorType {
    const type = this.#kept.get(name);
    if (type === undefined) throw refuse("access state", `"${name}" is no state of the graph`);
    return type;
  }
}

function refuse(action: string, fault: string): StrataError {
  return new StrataError("INVALID_ARGUMENT", `Cannot ${action}: ${fault}`);
}
