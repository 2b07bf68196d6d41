/** What a vPLM learns: tensors that say of themselves how they lie, begin and learn. */
import type { WeightShape } from "../entities/weights.ts";

/** Its name in the version's blob is that of its input in graphs. */
export interface LearnedTensor extends WeightShape {
  /** Whether the optimiser's weight decay pulls it towards zero. */
  readonly isDecayed: boolean;
  /** Standard deviation of the normal values that it begins with; 0 for zeros. */
  readonly initialDeviation: number;
  /** Factor of the learning rate. */
  readonly rateFactor: number;
}

/** A matrix, which is decayed; it begins with zeros unless a deviation is given. */
export function learnedMatrix(
  name: string,
  shape: readonly number[],
  initialDeviation = 0,
): LearnedTensor {
  return { name, shape, isDecayed: true, initialDeviation, rateFactor: 1 };
}

/** A bias, which begins with zeros and is not decayed, as is usual. */
export function learnedBias(name: string, size: number): LearnedTensor {
  return { name, shape: [size], isDecayed: false, initialDeviation: 0, rateFactor: 1 };
}
