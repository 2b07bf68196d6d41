/** Divides examples into a part to train on and a part to judge by. */
import { assert } from "../foundation/assert.ts";
import { permutation, SeededRandom } from "../foundation/random.ts";
import type { Example } from "./datasets.ts";

export interface SplitOptions {
  /** Share of each label's examples that goes to `dev`, in (0, 1). */
  readonly devShare: number;
  readonly seed: number;
}

/** Indices into the examples, ascending; each index is in exactly one part. */
export interface Split {
  readonly train: Uint32Array;
  readonly dev: Uint32Array;
}

/**
 * A stratified split: of each label's n ≥ 2 examples, `devShare · n` rounded, but at least one and
 * at most n - 1, go to `dev`; a single example goes to `train`. The same seed gives the same split.
 */
export function splitExamples(examples: readonly Example[], options: SplitOptions): Split {
  assert(options.devShare > 0 && options.devShare < 1, "devShare lies in (0, 1)");
  const random = new SeededRandom(options.seed);
  const train: number[] = [];
  const dev: number[] = [];
  for (const members of indicesByLabel(examples).values()) {
    const wanted = Math.round(options.devShare * members.length);
    const devCount = Math.min(Math.max(wanted, 1), members.length - 1);
    permutation(members.length, random).forEach((position, rank) => {
      const index = members[position] ?? 0;
      (rank < devCount ? dev : train).push(index);
    });
  }
  return { train: Uint32Array.from(train).sort(), dev: Uint32Array.from(dev).sort() };
}

function indicesByLabel(examples: readonly Example[]): ReadonlyMap<string, readonly number[]> {
  const groups = new Map<string, number[]>();
  examples.forEach(({ label }, index) => {
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [index]);
    else group.push(index);
  });
  return groups;
}
