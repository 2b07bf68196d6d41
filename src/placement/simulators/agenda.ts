/** Virtual time: what is to happen, taken in order of time and, at one time, in order of entry. */
import TinyQueue from "tinyqueue";

interface Entry {
  readonly seconds: number;
  readonly order: number;
  readonly act: () => void;
}

/** Owns its time, which never goes back. */
export class Agenda {
  readonly #entries = new TinyQueue<Entry>([], compare);
  #entryCount = 0;
  #now = 0;

  get nowSeconds(): number {
    return this.#now;
  }

  at(seconds: number, act: () => void): void {
    this.#entries.push({ seconds, order: this.#entryCount++, act });
  }

  after(seconds: number, act: () => void): void {
    this.at(this.#now + seconds, act);
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    for (let next = this.#entries.pop(); next !== undefined; next = this.#entries.pop()) {
      this.#now = next.seconds;
      next.act();
    }
  }
}

function compare(a: Entry, b: Entry): number {
  return a.seconds - b.seconds || a.order - b.order;
}
