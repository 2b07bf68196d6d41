/**
 * One pass over the positions of a batch, from n-grams to rows. It owns the arrays of one look-up
 * while they are filled.
 */
import type { HitCounts, MissRule } from "./knowledge.ts";
import { highLane, lowLane, NgramMap } from "./ngram-map.ts";

export interface SearchOptions {
  /** One map per table. */
  readonly maps: readonly NgramMap[];
  readonly missRule: MissRule;
  readonly positionCount: number;
}

export class NgramSearch {
  readonly tables: Uint16Array;
  readonly rows: Uint32Array;
  readonly hits: Record<keyof HitCounts, number> = { trigram: 0, bigram: 0, unigram: 0, none: 0 };
  /** The row of each n-gram among those to be computed. */
  readonly missing: NgramMap = new NgramMap();
  readonly #maps: readonly NgramMap[];
  readonly #missRule: MissRule;
  /** The tables to be asked for the sequence at hand, in turn. */
  #path: readonly number[] = [];

  constructor({ maps, missRule, positionCount }: SearchOptions) {
    this.tables = new Uint16Array(positionCount);
    this.rows = new Uint32Array(positionCount);
    this.#maps = maps;
    this.#missRule = missRule;
  }

  /** Finds the rows of the sequence that begins at position `start`, in the tables of its path. */
  add(path: readonly number[], start: number, ids: Int32Array): void {
    this.#path = path;
    let left = 0;
    for (let at = 0; at < ids.length; at++) {
      const middle = ids[at] ?? 0;
      const high = highLane(left, middle);
      const low = lowLane(middle, ids[at + 1] ?? 0);
      if (this.#take(start + at, high, low)) this.hits.trigram += 1;
      else if (this.#missRule === "compute") this.#miss(start + at, high, low);
      else this.hits[this.#backOff(start + at, { high, low, middle })] += 1;
      left = middle;
    }
  }

  /** Takes the row from the first table that holds the n-gram; false when none does. */
  #take(position: number, high: number, low: number): boolean {
    for (const table of this.#path) {
      const row = this.#maps[table]?.get(high, low) ?? 0;
      if (row === 0) continue;
      this.tables[position] = table;
      this.rows[position] = row;
      return true;
    }
    return false;
  }

  #backOff(
    position: number,
    { high, low, middle }: { readonly high: number; readonly low: number; readonly middle: number },
  ): keyof HitCounts {
    const [ownHigh, ownLow] = [highLane(0, middle), lowLane(middle, 0)];
    // At a sequence's edges a bi-gram is the tri-gram or the uni-gram.
    if (low !== ownLow && this.#take(position, ownHigh, low)) return "bigram";
    if (high !== ownHigh && this.#take(position, high, ownLow)) return "bigram";
    return this.#take(position, ownHigh, ownLow) ? "unigram" : "none";
  }

  #miss(position: number, high: number, low: number): void {
    if (this.missing.get(high, low) === 0) this.missing.set(high, low, this.missing.size + 1);
    this.tables[position] = this.#maps.length;
    this.rows[position] = this.missing.get(high, low);
    this.hits.none += 1;
  }
}
