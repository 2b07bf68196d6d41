/** Stands in for a base's shallow part: states that a reader can work out, exact in fp16. */
import type { NgramEncoder } from "./knowledge.ts";

/**
 * Slot s of (a, b, c) is at index i ((a + 2b + 3c + 5s + 7i) mod 33) / 16 - 1, a multiple of 1/16
 * in [-1, 1], but 0 for pads.
 */
export function standInEncoder(hiddenSize: number): NgramEncoder {
  return async (ngrams) => {
    const states = new Float32Array(ngrams.length * hiddenSize);
    for (let at = 0; at < ngrams.length; at += 3) {
      const [left = 0, middle = 0, right = 0] = ngrams.subarray(at, at + 3);
      const sum = left + 2 * middle + 3 * right;
      for (let slot = 0; slot < 3; slot++) {
        if (ngrams[at + slot] === 0) continue;
        for (let index = 0; index < hiddenSize; index++)
          states[(at + slot) * hiddenSize + index] = ((sum + 5 * slot + 7 * index) % 33) / 16 - 1;
      }
    }
    return states;
  };
}
