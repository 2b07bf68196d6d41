/** The workers of the process: runtimes of one thread each, which all lanes share. */
import type { Program, Runtime } from "../runtime/runtime.ts";
import type { LaneProgram } from "../lanes/lane.ts";

/** A runtime, and the programs that it has loaded so far. */
export class Worker {
  readonly #runtime: Runtime;
  readonly #programs = new Map<LaneProgram, Promise<Program>>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  prepare({ graph, constants }: LaneProgram): void {
    this.#runtime.prepare(graph, constants);
  }

  /** Loads the program when it is asked for first, and again when that has failed. */
  program(wanted: LaneProgram): Promise<Program> {
    const known = this.#programs.get(wanted);
    if (known !== undefined) return known;
    const { graph, constants } = wanted;
    const loading = this.#runtime.load(graph, { constants });
    this.#programs.set(wanted, loading);
    loading.catch(() => this.#programs.delete(wanted));
    return loading;
  }
}

export class Workers {
  /** Those that have not been lost. */
  readonly #living: Set<Worker>;
  /** Those that run nothing. */
  readonly #idle: Worker[];

  constructor(runtimes: readonly Runtime[]) {
    this.#idle = runtimes.map((runtime) => new Worker(runtime));
    this.#living = new Set(this.#idle);
  }

  get count(): number {
    return this.#living.size;
  }

  /**
   * Does ahead, once for all workers, what loading the program takes of this thread: milliseconds
   * for a thousand nodes. They run on the same kind of runtime.
   */
  prepare(program: LaneProgram): void {
    for (const worker of [...this.#living].slice(0, 1)) worker.prepare(program);
  }

  /** The program in every worker, loaded where it is not yet. */
  load(program: LaneProgram): Promise<readonly Program[]> {
    this.prepare(program);
    return Promise.all([...this.#living].map((worker) => worker.program(program)));
  }

  /** All that run nothing, the one that ran last before the others. */
  takeIdle(): readonly Worker[] {
    return this.#idle.splice(0).reverse();
  }

  giveBack(worker: Worker): void {
    this.#idle.push(worker);
  }

  /** Goes on without a worker that runs something now, and will never run again. */
  lose(worker: Worker): void {
    this.#living.delete(worker);
  }
}
