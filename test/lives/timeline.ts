/**
 * What something was, when. A change is made at one step and is known to all some steps later, when
 * its maker has been answered: whoever asks in between may be told either.
 */
import { present } from "../../src/foundation/assert.ts";

interface Entry<T> {
  readonly value: T;
  readonly fromStep: number;
  /** The time from which nobody may be told what was before. */
  settledStep: number;
}

/** A change that not everybody has to know of yet. */
export interface Unsettled {
  settle(step: number): void;
}

export class Timeline<T> {
  readonly #entries: Entry<T>[];

  constructor(first: T) {
    this.#entries = [{ value: first, fromStep: -Infinity, settledStep: -Infinity }];
  }

  get now(): T {
    return this.#last.value;
  }

  set(value: T, step: number): Unsettled {
    const entry: Entry<T> = { value, fromStep: step, settledStep: Infinity };
    this.#entries.push(entry);
    return {
      settle: (settledStep) => {
        entry.settledStep = Math.min(entry.settledStep, settledStep);
      },
    };
  }

  /** All that may be told to somebody who asks at `from` and is answered at `until`. */
  possible(from: number, until: number): readonly T[] {
    const known = this.#entries.findLastIndex(({ settledStep }) => settledStep < from);
    const told = this.#entries.slice(Math.max(0, known));
    return told.filter(({ fromStep }) => fromStep <= until).map(({ value }) => value);
  }

  get #last(): Entry<T> {
    return present(this.#entries.at(-1), "there is a first one");
  }
}
