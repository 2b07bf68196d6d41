/** Stands in for a base's shallow part: states that a reader can work out, exact in fp16. */
import type { NgramEncoder } from "./knowledge.ts";

/** Slot s of (a, b, c) is at index i ((a + 2b + 3c + 5s + 7i) mod 33) / 16 - 1. */
export function standInEncoder(hiddenSize: number): NgramEncoder {
  return async (ngrams) => {
    const states = new Float32Array(ngrams.length * hiddenSize);
    for (let at = 0; at < ngrams.length; at++) {
      const slot = at % 3;
      const first = at - slot;
      const sum =
        (ngrams[first] ?? 0) + 2 * (ngrams[first + 1] ?? 0) + 3 * (ngrams[first + 2] ?? 0);
      for (let index = 0; index < hiddenSize; index++)
        states[at * hiddenSize + index] = ((sum + 5 * slot + 7 * index) % 33) / 16 - 1;
    }
    return states;
  };
}
