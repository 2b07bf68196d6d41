/**
 * The shallow part's states of one job's texts, `[tokens, hidden]` each: what is to be learned,
 * what judges, and what else is answered share one room in memory. They are kept while they fit in,
 * and computed again otherwise, or where the adapter changes them.
 */
import type { AdapterForm } from "../models/adapter-kind.ts";
import { limits } from "../foundation/limits.ts";
import { actsAbove } from "../models/adapters/adapters.ts";
import { shallowStates, type Source } from "./sequences.ts";
import type { TrainingBase } from "./training-base.ts";

export class KeptStates {
  readonly #base: TrainingBase;
  readonly #isChanged: boolean;
  #bytesLeft: number;

  constructor(
    base: TrainingBase,
    adapter: AdapterForm,
    bytesMax: number = limits.trainingStatesBytesMax,
  ) {
    this.#base = base;
    this.#isChanged = !actsAbove(adapter, base.checkpoint.config);
    this.#bytesLeft = bytesMax;
  }

  /** The sequences, with their states if there is room for all of them. */
  async with<S extends Source>(sequences: S, signal?: AbortSignal): Promise<S> {
    const { hiddenSize } = this.#base.checkpoint.config;
    const tokenCount = sequences.ids.reduce((sum, { length }) => sum + length, 0);
    const bytes = tokenCount * hiddenSize * Float32Array.BYTES_PER_ELEMENT;
    if (this.#isChanged || bytes > this.#bytesLeft) return sequences;
    this.#bytesLeft -= bytes;
    return { ...sequences, states: await shallowStates(this.#base, sequences.ids, signal) };
  }
}
