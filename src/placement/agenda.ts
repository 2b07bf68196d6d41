/** Virtual time: what is to happen, taken in order of time and, at one time, in order of entry. */
import { present } from "../foundation/assert.ts";

interface Entry {
  readonly seconds: number;
  readonly order: number;
  readonly act: () => void;
}

/** A binary heap; owns its time, which never goes back. */
export class Agenda {
  readonly #heap: Entry[] = [];
  #entryCount = 0;
  #now = 0;

  get nowSeconds(): number {
    return this.#now;
  }

  at(seconds: number, act: () => void): void {
    const entry = { seconds, order: this.#entryCount++, act };
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(entry, this.#entry(parent))) break;
      heap[index] = this.#entry(parent);
      index = parent;
    }
    heap[index] = entry;
  }

  after(seconds: number, act: () => void): void {
    this.at(this.#now + seconds, act);
  }

  /** Until nothing is left to happen. */
  run(): void {
    while (this.#heap.length > 0) {
      const { seconds, act } = this.#take();
      this.#now = seconds;
      act();
    }
  }

  #take(): Entry {
    const heap = this.#heap;
    const first = this.#entry(0);
    const last = present(heap.pop(), "an agenda that is run has entries");
    if (heap.length === 0) return first;
    let index = 0;
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      const right = child + 1;
      if (right < heap.length && isBefore(this.#entry(right), this.#entry(child))) child = right;
      if (!isBefore(this.#entry(child), last)) break;
      heap[index] = this.#entry(child);
      index = child;
    }
    heap[index] = last;
    return first;
  }

  #entry(index: number): Entry {
    return present(this.#heap[index], "the heap has no holes");
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.seconds < b.seconds || (a.seconds === b.seconds && a.order < b.order);
}
