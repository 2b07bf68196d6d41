/** Noise on weights, by which models of different bytes are made from one. */
import type { Weight } from "../entities/weights.ts";
import type { Random } from "../foundation/random.ts";
import type { Pace } from "../foundation/pace.ts";

export interface NoiseOptions {
  readonly relative: number;
  readonly random: Random;
  /** The longest heads have too many values for one slice. */
  readonly pace: Pace;
}

/**
 * A copy with normal noise added to each value; its standard deviation is `relative` times the root
 * mean square of the tensor, so that a tensor of zeros stays one.
 */
export async function withNoise(
  { shape, values: exact }: Weight,
  { relative, random, pace }: NoiseOptions,
): Promise<Weight> {
  let squares = 0;
  for (const value of exact) squares += value * value;
  const deviation = relative * Math.sqrt(squares / Math.max(exact.length, 1));
  const values = exact.slice();
  await pace.each(values.length, (index) => {
    values[index] = (values[index] ?? 0) + deviation * random.normal();
  });
  return { shape, values };
}
