/** Which of several outputs is the answer. */

/** The output with the highest score in each row of `scores [rows, outputs]`. */
export function highest(scores: Float32Array, outputCount: number): Int32Array {
  const best = new Int32Array(scores.length / outputCount);
  for (let row = 0; row < best.length; row++) {
    const start = row * outputCount;
    let at = 0;
    for (let output = 1; output < outputCount; output++)
      if ((scores[start + output] ?? NaN) > (scores[start + at] ?? NaN)) at = output;
    best[row] = at;
  }
  return best;
}
