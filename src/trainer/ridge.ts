/**
 * A classification head in closed form: ridge regression from pooled features to one-hot labels,
 * (Xᵀ D X + λ I) W = Xᵀ D Y with D weighting every class alike. It is the only arithmetic here that
 * is not a graph: a solve of one `[hidden, hidden]` system, which needs double precision.
 */

export interface LabelledFeatures {
  /** `[count, width]`. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly width: number;
}

export interface Head {
  /** `[labels, width]`. */
  readonly weight: Float32Array;
  /** `[labels]`. */
  readonly bias: Float32Array;
}

/** Sums over the training examples, from which a head for any λ is solved. */
export interface RidgeSystem {
  /** `[width + 1, width + 1]`: the last row and column belong to the constant feature. */
  readonly gram: Float64Array;
  /** `[width + 1, labels]`. */
  readonly moments: Float64Array;
  readonly labelCount: number;
}

export function ridgeSystem(
  { features, labels, width }: LabelledFeatures,
  labelCount: number,
): RidgeSystem {
  const size = width + 1;
  const gram = new Float64Array(size * size);
  const moments = new Float64Array(size * labelCount);
  const weights = classWeights(labels, labelCount);
  const row = new Float64Array(size).fill(1);
  for (const [index, label] of labels.entries()) {
    row.set(features.subarray(index * width, (index + 1) * width));
    const weight = weights[label] ?? 0;
    for (let i = 0; i < size; i++) {
      const scaled = weight * at(row, i);
      for (let j = 0; j <= i; j++)
        gram[i * size + j] = at(gram, i * size + j) + scaled * at(row, j);
      moments[i * labelCount + label] = at(moments, i * labelCount + label) + scaled;
    }
  }
  return { gram, moments, labelCount };
}

/** The head for one λ, which is relative to the mean of the features' squares. */
export function solveRidge({ gram, moments, labelCount }: RidgeSystem, lambda: number): Head {
  const size = moments.length / labelCount;
  const width = size - 1;
  const lower = gram.slice();
  let trace = 0;
  for (let i = 0; i < width; i++) trace += at(gram, i * size + i);
  // The constant feature is not shrunk.
  for (let i = 0; i < width; i++)
    lower[i * size + i] = at(gram, i * size + i) + (lambda * trace) / width;
  choleskyInPlace(lower, size);
  const weight = new Float32Array(labelCount * width);
  const bias = new Float32Array(labelCount);
  for (let label = 0; label < labelCount; label++) {
    const column = Float64Array.from({ length: size }, (_, i) =>
      at(moments, i * labelCount + label),
    );
    substitute(lower, column);
    weight.set(column.subarray(0, width), label * width);
    bias[label] = at(column, width);
  }
  return { weight, bias };
}

/** Scores `[count, labels]` of a head. */
export function scoresOf(
  { features, labels, width }: LabelledFeatures,
  { weight, bias }: Head,
): Float32Array {
  const scores = new Float32Array(labels.length * bias.length);
  for (let index = 0; index < labels.length; index++)
    for (let label = 0; label < bias.length; label++) {
      let score = at(bias, label);
      for (let i = 0; i < width; i++)
        score += at(features, index * width + i) * at(weight, label * width + i);
      scores[index * bias.length + label] = score;
    }
  return scores;
}

/** Per class, so that each class has the same weight in all; the mean over examples is 1. */
function classWeights(labels: Int32Array, labelCount: number): Float64Array {
  const counts = new Float64Array(labelCount);
  for (const label of labels) counts[label] = at(counts, label) + 1;
  const presentCount = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count === 0 ? 0 : labels.length / (presentCount * count)));
}

/** Lower Cholesky factor of a symmetric positive definite matrix; the lower half is read. */
function choleskyInPlace(matrix: Float64Array, size: number): void {
  for (let j = 0; j < size; j++) {
    for (let i = j; i < size; i++) {
      let sum = at(matrix, i * size + j);
      for (let k = 0; k < j; k++) sum -= at(matrix, i * size + k) * at(matrix, j * size + k);
      // Rounding may leave a tiny negative pivot where features depend on each other.
      matrix[i * size + j] =
        i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / at(matrix, j * size + j);
    }
  }
}

/** Solves L Lᵀ x = b in place. */
function substitute(lower: Float64Array, b: Float64Array): void {
  const size = b.length;
  for (let i = 0; i < size; i++) {
    let sum = at(b, i);
    for (let k = 0; k < i; k++) sum -= at(lower, i * size + k) * at(b, k);
    b[i] = sum / at(lower, i * size + i);
  }
  for (let i = size - 1; i >= 0; i--) {
    let sum = at(b, i);
    for (let k = i + 1; k < size; k++) sum -= at(lower, k * size + i) * at(b, k);
    b[i] = sum / at(lower, i * size + i);
  }
}

function at(values: Float64Array | Float32Array, index: number): number {
  return values[index] ?? 0; // indices are in range
}
