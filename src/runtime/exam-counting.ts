/** A runtime over another one, which tells whether what was loaded is released. */
import type { Graph } from "../tensor/tensor.ts";
import type { Constants, LoadOptions, Program, Runtime } from "./runtime.ts";

/** A runtime that knows how many of its programs have not been released. */
export class CountingRuntime implements Runtime {
  heldCount = 0;
  mostHeldCount = 0;
  readonly #inner: Runtime;

  constructor(inner: Runtime) {
    this.#inner = inner;
  }

  prepare(graph: Graph, constants: Constants): void {
    this.#inner.prepare(graph, constants);
  }

  async load(graph: Graph, options?: LoadOptions): Promise<Program> {
    const program = await this.#inner.load(graph, options);
    this.heldCount += 1;
    this.mostHeldCount = Math.max(this.mostHeldCount, this.heldCount);
    return {
      run: (feeds) => program.run(feeds),
      write: (values) => program.write(values),
      read: (names) => program.read(names),
      release: async () => {
        this.heldCount -= 1;
        await program.release();
      },
    };
  }

  async close(): Promise<void> {}
}
