/** Noise on weights, by which models of different bytes are made from one. */
import type { Random } from "../foundation/random.ts";
import type { WeightTensor } from "./creator.ts";

/**
 * A copy with normal noise added to each value; its standard deviation is `relative` times the root
 * mean square of the tensor, so that a tensor of zeros stays one.
 */
export function withNoise(tensor: WeightTensor, relative: number, random: Random): WeightTensor {
  let squares = 0;
  for (const value of tensor.values) squares += value * value;
  const deviation = relative * Math.sqrt(squares / Math.max(tensor.values.length, 1));
  const values = tensor.values.map((value) => value + deviation * random.normal());
  return { shape: tensor.shape, values };
}
