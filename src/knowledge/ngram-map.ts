/**
 * A map from n-grams to positive integers: rows of a table, counts, numbers of a batch's misses.
 * Open addressing with linear probing over one array of cells `[low, high, value]`, in shared
 * memory, so that other threads read it without a copy. A cell is free while its value is 0; equal
 * hashes never suffice, the whole key is compared. It has one writer, and grows by doubling.
 */
import { assert } from "../foundation/assert.ts";

/** Three ids of 21 bits each make a key of two lanes, which order as the n-grams do. */
const idBits = 21;
const idMask = (1 << idBits) - 1;
/** The bits of the middle id in the low lane; the others are in the high one. */
const middleBits = 32 - idBits;

const cellLength = 3;
const capacityMin = 16;
/** The least: of three cells two are taken at most, and a search meets few others. */
const cellsPerEntry = 1.5;

export function highLane(left: number, middle: number): number {
  return (left << (idBits - middleBits)) | (middle >>> middleBits);
}

export function lowLane(middle: number, right: number): number {
  return (middle << idBits) | right;
}

export interface NgramKey {
  readonly high: number;
  readonly low: number;
}

/** The key of `ngrams[at … at + 3)`. */
export function packNgram(ngrams: Int32Array, at: number): NgramKey {
  const middle = ngrams[at + 1] ?? 0;
  return { high: highLane(ngrams[at] ?? 0, middle), low: lowLane(middle, ngrams[at + 2] ?? 0) };
}

/** The n-gram of a key, into `ngrams[at … at + 3)`. */
export function unpackNgram({ high, low }: NgramKey, ngrams: Int32Array, at: number): void {
  ngrams[at] = high >>> (idBits - middleBits);
  ngrams[at + 1] = ((high << middleBits) & idMask) | (low >>> idBits);
  ngrams[at + 2] = low & idMask;
}

export class NgramMap {
  #cells: Int32Array;
  #mask: number;
  #size: number;

  /** Room for `entryCount` entries without growing, or the cells of another thread's map. */
  constructor(room: number | { readonly cells: Int32Array; readonly size: number } = 0) {
    if (typeof room === "number") {
      this.#cells = allocateCells(capacityFor(room));
      this.#size = 0;
    } else {
      this.#cells = room.cells;
      this.#size = room.size;
    }
    this.#mask = this.#cells.length / cellLength - 1;
  }

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** Shared; until the map grows. */
  get cells(): Int32Array {
    return this.#cells;
  }

  /** The n-gram's value, 0 when it has none. */
  get(high: number, low: number): number {
    return this.#cells[this.#find(high, low) + 2] ?? 0;
  }

  set(high: number, low: number, value: number): void {
    assert(value > 0, `The value of an n-gram is positive, not ${value}`);
    // First, since it may replace the cells.
    const at = this.#claim(high, low);
    this.#cells[at + 2] = value;
  }

  /** Adds 1 to the n-gram's value. It may not pass 2^31 - 1. */
  increment(high: number, low: number): void {
    const at = this.#claim(high, low) + 2;
    this.#cells[at] = (this.#cells[at] ?? 0) + 1;
  }

  /** Visits all entries, in no order. */
  forEach(visit: (high: number, low: number, value: number) => void): void {
    const cells = this.#cells;
    for (let at = 0; at < cells.length; at += cellLength) {
      const value = cells[at + 2] ?? 0;
      if (value > 0) visit(cells[at + 1] ?? 0, cells[at] ?? 0, value);
    }
  }

  /** The place of the n-gram's cell, or of the free one in which it would be. */
  #find(high: number, low: number): number {
    const cells = this.#cells;
    for (let cell = hash(high, low) & this.#mask; ; cell = (cell + 1) & this.#mask) {
      const at = cell * cellLength;
      if (cells[at] === low && cells[at + 1] === high) return at;
      if (cells[at + 2] === 0) return at;
    }
  }

  /** The n-gram's cell; a new one still lacks its value. */
  #claim(high: number, low: number): number {
    const at = this.#find(high, low);
    if (this.#cells[at + 2] !== 0) return at;
    if ((this.#size + 1) * cellsPerEntry > this.#mask + 1) {
      this.#grow();
      return this.#claim(high, low);
    }
    this.#size += 1;
    this.#cells[at] = low;
    this.#cells[at + 1] = high;
    return at;
  }

  #grow(): void {
    const grown = new NgramMap(this.#size * 2);
    this.forEach((high, low, value) => grown.set(high, low, value));
    this.#cells = grown.#cells;
    this.#mask = grown.#mask;
  }
}

/** Numbers n-grams `[count, 3]` from 1 on. The map is smaller than the list if some are equal. */
export function numberNgrams(ngrams: Int32Array): NgramMap {
  const map = new NgramMap(ngrams.length / 3);
  for (let at = 0; at < ngrams.length; at += 3) {
    const { high, low } = packNgram(ngrams, at);
    map.set(high, low, at / 3 + 1);
  }
  return map;
}

/** The n-grams `[count, 3]` of a map whose values are 1 … count, in the order of their values. */
export function ngramsInOrder(map: NgramMap): Int32Array {
  const ngrams = new Int32Array(3 * map.size);
  map.forEach((high, low, value) => unpackNgram({ high, low }, ngrams, 3 * (value - 1)));
  return ngrams;
}

function capacityFor(entryCount: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(capacityMin, entryCount * cellsPerEntry)));
}

function allocateCells(capacity: number): Int32Array {
  const bytes = capacity * cellLength * Int32Array.BYTES_PER_ELEMENT;
  return new Int32Array(new SharedArrayBuffer(bytes));
}

/** Two rounds in the manner of MurmurHash3: neighbouring ids land far apart. */
function hash(high: number, low: number): number {
  let bits = Math.imul(low ^ (low >>> 15), 0x85ebca6b) ^ high;
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  bits = Math.imul(bits ^ (bits >>> 16), 0x27d4eb2f);
  return bits ^ (bits >>> 15);
}
