/** Long work on the main thread goes in slices of time, so that others come to run in between. */
import { limits } from "./limits.ts";
import { threadNowMs, turn } from "./turn.ts";

/** Visits between two looks at the time. */
const visitsPerLook = 512;

export class Pace {
  readonly #signal: AbortSignal | undefined;
  #sliceEndMs = threadNowMs() + limits.mainThreadSliceMsMax;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether the slice is over: cheap enough to be asked for each line of a file. */
  get isDue(): boolean {
    return threadNowMs() >= this.#sliceEndMs;
  }

  /** Visits 0 … count - 1, with rests; each visit is short. */
  async each(count: number, visit: (index: number) => void): Promise<void> {
    for (let index = 0; index < count; index++) {
      if (index % visitsPerLook === 0 && this.isDue) await this.rest();
      visit(index);
    }
  }

  /** Lets others run, then begins a slice; rejects with the signal's reason. */
  async rest(): Promise<void> {
    await turn();
    this.#signal?.throwIfAborted();
    this.#sliceEndMs = threadNowMs() + limits.mainThreadSliceMsMax;
  }
}
