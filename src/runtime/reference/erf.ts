/** The error function, which JavaScript lacks. */

/**
 * The error function, to about 4e-16. The series is formula 7.1.6, the continued fraction formula
 * 7.1.14 of Abramowitz and Stegun, Handbook of Mathematical Functions; neither cancels.
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  return Math.abs(x) < 2 ? series(x) : Math.sign(x) * (1 - complement(Math.abs(x)));
}

/** 2/√π · exp(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1 · 3 ⋯ (2n + 1)) */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** exp(-x²) / √π · 1/(x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))) */
function complement(x: number): number {
  let fraction = x;
  for (let n = 100; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
}
