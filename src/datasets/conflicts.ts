/** Texts that stand under several labels. */

/** A table that grows takes long at once: many small ones do not. */
const shardCount = 512;
const sizeMin = 16;
const [free, conflicting] = [0, 0xffff_ffff];

/**
 * Remembers 64 bits of each text and its label, in arrays of numbers: a million strings in a map
 * would keep the garbage collector busy. Two texts of a file are taken for one once in 10⁷ files.
 */
export class Conflicts {
  /** It is made when the first text falls into them. */
  readonly #shards: Shard[] = [];
  /** Each content's number, from 1 on. */
  readonly #numbers = new Map<string, number>();
  #count = 0;

  /** How many texts stand under more than one label, white space around them aside. */
  get count(): number {
    return this.#count;
  }

  add(text: string, label: string): void {
    let number = this.#numbers.get(label);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(label, number);
    }
    const [low, high] = hashOf(text.trim());
    const shard = (this.#shards[high % shardCount] ??= new Shard());
    if (shard.isConflict(low, high, number)) this.#count += 1;
  }
}

/** Open addressing: `low`, `high` and the number of the label of each text, side by side. */
class Shard {
  #cells = new Uint32Array(3 * sizeMin);
  #used = 0;

  /** Whether the text had one other label until now. */
  // The two halves of a hash and what it stands for.
  isConflict(low: number, high: number, number: number): boolean {
    const at = this.#find(low, high);
    const known = this.#cells[at + 2];
    if (known === free) {
      this.#cells.set([low, high, number], at);
      this.#used += 1;
      if (2 * this.#used > this.#cells.length / 3) this.#grow();
      return false;
    }
    if (known === number || known === conflicting) return false;
    this.#cells[at + 2] = conflicting;
    return true;
  }

  #find(low: number, high: number): number {
    const size = this.#cells.length / 3;
    for (let place = low % size; ; place = (place + 1) % size) {
      const at = 3 * place;
      if (this.#cells[at + 2] === free) return at;
      if (this.#cells[at] === low && this.#cells[at + 1] === high) return at;
    }
  }

  #grow(): void {
    const old = this.#cells;
    this.#cells = new Uint32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 3) {
      const cell = old.subarray(at, at + 3);
      if (cell[2] !== free) this.#cells.set(cell, this.#find(cell[0] ?? 0, cell[1] ?? 0));
    }
  }
}

/** Two FNV-1a over UTF-16 units that differ in where they begin and in their prime, mixed. */
function hashOf(text: string): readonly [low: number, high: number] {
  let [low, high] = [0x811c9dc5, 0x9e3779b9];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b);
  }
  return [mixed(low), mixed(high)];
}

function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return (half ^ (half >>> 16)) >>> 0;
}
