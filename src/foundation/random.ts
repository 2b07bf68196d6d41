/**
 * Randomness as a parameter. `SeededRandom` is counter-based: value n of a (seed, stream) pair is a
 * function of the three numbers alone, so a run that resumes at n continues the same sequence.
 */
import { randomFillSync } from "node:crypto";

export interface Random {
  /** Uniform in [0, 1) with 32 bits of resolution. */
  uniform(): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** Standard normal, by Box and Muller. */
  normal(): number;
}

export class SeededRandom implements Random {
  readonly #key: number;
  #counter: number;

  constructor(seed: number, stream = 0, counter = 0) {
    this.#key = mix(mix(seed >>> 0) ^ mix((stream >>> 0) ^ 0x9e3779b9));
    this.#counter = counter >>> 0;
  }

  uniform(): number {
    const counter = this.#counter;
    this.#counter = (counter + 1) >>> 0;
    return mix(mix(counter ^ this.#key) + Math.imul(this.#key, 0x85ebca6b)) / 0x1_0000_0000;
  }

  integer(bound: number): number {
    return Math.floor(this.uniform() * bound);
  }

  normal(): number {
    // 1 - u lies in (0, 1], which keeps the logarithm finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }
}

/** The order of 0 … count - 1 after a Fisher-Yates shuffle. */
export function permutation(count: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = random.integer(last + 1);
    const held = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = held;
  }
  return order;
}

/** Draws identifiers: `prefix` followed by 24 characters of [0-9a-z]. */
export interface Ids {
  next<P extends string>(prefix: P): `${P}${string}`;
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

const letterCount = 24;
/** It is drawn many at a time: one call of the system costs as much as a small request. */
const drawn = new Uint8Array(letterCount * 256);
let drawnUsed = drawn.length;

export const systemIds: Ids = {
  next(prefix) {
    if (drawnUsed === drawn.length) {
      randomFillSync(drawn);
      drawnUsed = 0;
    }
    let id: string = prefix;
    for (const end = drawnUsed + letterCount; drawnUsed < end; drawnUsed++)
      id += alphabet[(drawn[drawnUsed] ?? 0) % alphabet.length];
    return id as `${typeof prefix}${string}`; // It begins with the prefix.
  },
};

/** Finaliser of MurmurHash3 (32 bits): a bijection whose output bits depend on every input bit. */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
