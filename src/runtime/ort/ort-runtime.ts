/**
 * ONNX Runtime on the CPU, in one worker thread of its own. A thread that dies is started again and
 * given its programs; what ran fails, and so does what has lost its state.
 */
import { StrataError } from "../../foundation/errors.ts";
import { limits } from "../../foundation/limits.ts";
import { type Log, silentTelemetry } from "../../foundation/telemetry.ts";
import { inSharedMemory } from "../../foundation/shared-memory.ts";
import { type OnnxModel, toOnnx } from "../../tensor/onnx/to-onnx.ts";
import { evaluate } from "../../tensor/dimension.ts";
import type { Graph, TensorType } from "../../tensor/tensor.ts";
import { bindFeeds } from "../feeds.ts";
import type {
  Constants,
  Feeds,
  LoadOptions,
  Program,
  Results,
  Runtime,
  StateNames,
} from "../runtime.ts";
import { silenceOrt } from "./load-ort.ts";
import { OrtThread } from "./ort-thread.ts";
import { overwritten } from "./overwritten.ts";
import { isReplaced } from "./kept-values.ts";
import { type OrtCommand, type OrtOptions, type ResultType, transfers } from "./protocol.ts";

interface Loaded {
  readonly model: OnnxModel;
  readonly state: StateNames;
  readonly overwritten: ReadonlySet<string>;
}

/** What has been written down ahead, of graphs that somebody still holds. */
const prepared = new WeakMap<Graph, { readonly model: OnnxModel; readonly constants: Constants }>();
const none: Constants = new Map();

export class OrtRuntime implements Runtime {
  readonly #options: OrtOptions;
  readonly #log: Log;
  #thread: OrtThread;
  /** What a new thread must load, by number. */
  readonly #loaded = new Map<number, Loaded>();
  #programCount = 0;
  /** How many threads there were before this one. */
  #generation = 0;
  /** Threads that have ended since one ran a program. */
  #endCount = 0;
  #restarting: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: OrtOptions, log: Log = silentTelemetry.log) {
    silenceOrt();
    this.#options = options;
    this.#log = log;
    this.#thread = this.#open();
  }

  prepare(graph: Graph, constants: Constants): void {
    prepared.set(graph, { model: modelOf(graph, constants), constants });
  }

  async load(graph: Graph, { constants = none, state = {} }: LoadOptions = {}): Promise<Program> {
    const program = this.#programCount++;
    const ahead = prepared.get(graph);
    const model = ahead?.constants === constants ? ahead.model : modelOf(graph, constants);
    await this.#untilReachable();
    const loaded = { model, state, overwritten: overwritten(graph, state) };
    await this.#loadAs(program, loaded);
    this.#loaded.set(program, loaded);
    return new OrtProgram({
      inputs: model.inputs,
      outputs: model.outputs,
      state,
      program,
      ask: (command, buffers) => this.#ask(command, buffers),
      generation: () => this.#generation,
    });
  }

  async close(): Promise<void> {
    while (this.#restarting !== undefined) await this.#restarting;
    this.#isClosed = true;
    if (!this.#isGone()) await this.#thread.ask({ kind: "close" }, []);
  }

  #open(): OrtThread {
    return new OrtThread(this.#options, (reason) => this.#restart(reason));
  }

  async #loadAs(program: number, loaded: Loaded): Promise<void> {
    await this.#thread.ask({ kind: "load", program, ...loaded }, []);
  }

  async #ask(command: OrtCommand, buffers: readonly ArrayBufferLike[]): Promise<Results> {
    await this.#untilReachable();
    if (command.kind === "release") this.#loaded.delete(command.program);
    const results = await this.#thread.ask(command, buffers);
    if (command.kind === "run") this.#endCount = 0;
    return results;
  }

  /** Waits for a thread that is being started again; UNAVAILABLE when there will be none. */
  async #untilReachable(): Promise<void> {
    while (this.#restarting !== undefined) await this.#restarting;
    if (!this.#isGone()) return;
    const state = `its thread has ended ${this.#endCount} times in a row`;
    throw new StrataError("UNAVAILABLE", `Cannot reach ONNX Runtime: ${state}`);
  }

  #isGone(): boolean {
    return this.#endCount > limits.threadRestartCountMax;
  }

  #restart(reason: string): void {
    if (this.#isClosed) return;
    this.#endCount += 1;
    const isStartedAgain = !this.#isGone();
    this.#log.error("A thread of ONNX Runtime has ended", { reason, isStartedAgain });
    if (!isStartedAgain) return;
    this.#generation += 1;
    this.#thread = this.#open();
    const restarting = this.#reload().finally(() => {
      if (this.#restarting === restarting) this.#restarting = undefined;
    });
    this.#restarting = restarting;
  }

  async #reload(): Promise<void> {
    try {
      for (const [program, loaded] of this.#loaded) await this.#loadAs(program, loaded);
    } catch {
      // The thread has died again, which begins the next restart, or a run says what is missing.
    }
  }
}

/** Handing a model over copies nothing. */
function modelOf(graph: Graph, constants: Constants): OnnxModel {
  const model = toOnnx(graph, constants);
  return { ...model, bytes: inSharedMemory(model.bytes) };
}

interface OrtProgramOptions {
  readonly program: number;
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
  readonly state: StateNames;
  readonly ask: (command: OrtCommand, buffers: readonly ArrayBufferLike[]) => Promise<Results>;
  /** Another number says that another thread answers, which has no state. */
  readonly generation: () => number;
}

class OrtProgram implements Program {
  readonly #options: OrtProgramOptions;
  /** Inputs that come with each run, and those that stay between runs. */
  readonly #fed: ReadonlyMap<string, TensorType>;
  readonly #kept: ReadonlyMap<string, TensorType>;
  readonly #written = new Set<string>();
  /** The sizes that state gives to symbols. */
  #sizes: ReadonlyMap<string, number> = new Map();
  /** The thread that the state was written to. */
  #generation: number;

  constructor(options: OrtProgramOptions) {
    this.#options = options;
    this.#generation = options.generation();
    const isKept = ([name]: readonly [string, TensorType]): boolean => name in options.state;
    this.#kept = new Map([...options.inputs].filter(isKept));
    this.#fed = new Map([...options.inputs].filter((entry) => !isKept(entry)));
  }

  async run(feeds: Feeds): Promise<Results> {
    const sizes = bindFeeds(this.#fed, feeds);
    this.#forgetLost();
    for (const name of this.#kept.keys())
      if (!this.#written.has(name)) throw refuse("run graph", `state "${name}" was never written`);
    const { program, ask } = this.#options;
    const results = this.#resultTypes(new Map([...this.#sizes, ...sizes]));
    return ask({ kind: "run", program, feeds, results }, transfers(feeds));
  }

  async write(values: Feeds): Promise<void> {
    const names = Object.keys(values);
    this.#forgetLost();
    const sizes = bindFeeds(new Map(names.map((name) => [name, this.#state(name)])), values);
    this.#sizes = new Map([...this.#sizes, ...sizes]);
    for (const name of names) this.#written.add(name);
    const { program, ask } = this.#options;
    await ask({ kind: "write", program, feeds: values }, transfers(values));
  }

  async read(names: readonly string[]): Promise<Results> {
    this.#forgetLost();
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

  /** What a run gives beside the state that it replaces; undefined where it replaces none. */
  #resultTypes(sizes: ReadonlyMap<string, number>): Record<string, ResultType> | undefined {
    const { outputs, state } = this.#options;
    if (!isReplaced(state)) return undefined;
    const kept = new Set(Object.values(state));
    const results = [...outputs].filter(([name]) => !kept.has(name));
    return Object.fromEntries(
      results.map(([name, { type, shape }]) => [
        name,
        { type, shape: shape.map((dimension) => evaluate(dimension, sizes)) },
      ]),
    );
  }

  /** State that died with its thread counts as never written. */
  #forgetLost(): void {
    const generation = this.#options.generation();
    if (generation !== this.#generation) this.#written.clear();
    this.#generation = generation;
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
