/** The interval of a mean over seeds or tasks, as benches report it. */
import type { Interval } from "../src/datasets/metrics.ts";
import { assert } from "../src/foundation/assert.ts";

/**
 * Student's t interval of the mean of at least two independent values, for example of one score
 * per seed: mean ± t · s / √n, with s the sample's standard deviation. `confidence` lies in (0, 1).
 */
export function meanInterval(values: readonly number[], confidence: number): Interval {
  assert(values.length >= 2, "an interval needs two values");
  assert(confidence > 0 && confidence < 1, "confidence lies in (0, 1)");
  const freedom = values.length - 1;
  const mean = sumOf(values) / values.length;
  const variance = sumOf(values.map((value) => (value - mean) ** 2)) / freedom;
  const half = studentBound(confidence, freedom) * Math.sqrt(variance / values.length);
  return { mean, low: mean - half, high: mean + half };
}

/** The t with P(|T| ≤ t) = confidence, found by bisection over the angle θ = atan(t / √freedom). */
function studentBound(confidence: number, freedom: number): number {
  let low = 0;
  let high = Math.PI / 2;
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (studentShare(middle, freedom) < confidence) low = middle;
    else high = middle;
  }
  return Math.tan(low) * Math.sqrt(freedom);
}

/** P(|T| ≤ t): Abramowitz and Stegun, 26.7.3 for odd and 26.7.4 for even degrees of freedom. */
function studentShare(angle: number, freedom: number): number {
  const isOdd = freedom % 2 === 1;
  const square = Math.cos(angle) ** 2;
  let term = isOdd ? Math.cos(angle) : 1;
  let series = freedom === 1 ? 0 : term;
  for (let power = isOdd ? 3 : 2; power <= freedom - 2; power += 2) {
    term *= (square * (power - 1)) / power;
    series += term;
  }
  const total = Math.sin(angle) * series;
  return isOdd ? (2 / Math.PI) * (angle + total) : total;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
