/** The Gamma distribution: drawn from, and fitted by maximum likelihood. */
import type { Random } from "../foundation/random.ts";

/**
 * A Gamma variate of scale 1, by Marsaglia and Tsang (2000). Powers are products, or written by the
 * logarithm: the last bits of `**` differ between engines, and one seed shall give one sequence.
 */
export function gammaOf(shape: number, random: Random): number {
  if (shape < 1) return gammaOf(shape + 1, random) * Math.exp(Math.log(random.uniform()) / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const normal = random.normal();
    const root = 1 + c * normal;
    const v = root * root * root;
    const isTaken =
      Math.log(1 - random.uniform()) < normal * normal * 0.5 + d - d * v + d * Math.log(v);
    if (v > 0 && isTaken) return d * v;
  }
}

export interface Gamma {
  readonly shape: number;
  readonly scale: number;
}

/** Shapes outside are those of constant, or of endlessly bursty values. */
const shapeMax = 1e6;
const shapeMin = 1e-6;

/**
 * Fits positive values: solves log k - ψ(k) = log mean - mean log, whose left side falls with k.
 */
export function fitGamma(values: readonly number[]): Gamma {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const meanLog = values.reduce((sum, value) => sum + Math.log(value), 0) / values.length;
  const target = Math.log(mean) - meanLog;
  let [low, high] = [Math.log(shapeMin), Math.log(shapeMax)];
  // Halving the interval 64 times leaves nothing of a float64.
  for (let round = 0; round < 64; round++) {
    const middle = (low + high) / 2;
    if (middle - digamma(Math.exp(middle)) > target) low = middle;
    else high = middle;
  }
  const shape = Math.exp(low);
  return { shape, scale: mean / shape };
}

/** ψ(x) for x > 0: the recurrence up to 12, then the asymptotic series (DLMF 5.11.2). */
export function digamma(x: number): number {
  let [value, at] = [0, x];
  for (; at < 12; at++) value -= 1 / at;
  const square = 1 / (at * at);
  const tail = square * (1 / 120 - square * (1 / 252 - square * (1 / 240 - square / 132)));
  return value + Math.log(at) - 0.5 / at - square * (1 / 12 - tail);
}
