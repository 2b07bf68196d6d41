/**
 * Programs without state, which all that run them at one time share: each holds a base's weights
 * once more. What nobody runs is released, but for the last one, since the next that comes usually
 * asks for it again.
 */
import type { Program } from "../runtime/runtime.ts";

interface Shared {
  readonly loading: Promise<Program>;
  userCount: number;
}

export class SharedPrograms {
  readonly #shared = new Map<string, Shared>();
  /** The program that nobody has run since, if nobody does now. */
  #last: string | undefined;

  /** What `work` gives by the program of this key; it is loaded unless it is there. */
  async use<T>(
    key: string,
    load: () => Promise<Program>,
    work: (program: Program) => Promise<T>,
  ): Promise<T> {
    const shared = this.#shared.get(key) ?? { loading: load(), userCount: 0 };
    this.#shared.set(key, shared);
    shared.userCount += 1;
    let program: Program;
    try {
      program = await shared.loading;
    } catch (error) {
      // The next one tries again.
      if (this.#shared.get(key) === shared) this.#shared.delete(key);
      throw error;
    }
    try {
      return await work(program);
    } finally {
      shared.userCount -= 1;
      if (shared.userCount === 0) await this.#leave(key);
    }
  }

  /** Releases the program that was left before this one. */
  async #leave(key: string): Promise<void> {
    const [last, shared] = [this.#last, this.#shared.get(this.#last ?? key)];
    this.#last = key;
    if (last === undefined || last === key || shared?.userCount !== 0) return;
    this.#shared.delete(last);
    await (await shared.loading).release();
  }
}
