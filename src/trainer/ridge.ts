/**
 * A classification head in closed form: ridge regression from pooled features to one-hot labels,
 * (Xᵀ D X + λ I) W = Xᵀ D Y with D weighting every class, or every example, alike. Products over
 * the examples run as graphs; what is left here is the solve of one `[hidden + 1, hidden + 1]`
 * system, which needs double precision.
 */
import { present } from "../foundation/assert.ts";
import type { Program, Value } from "../runtime/runtime.ts";

/** The last feature of each row is the constant 1. */
export interface LabelledFeatures {
  /** `[count, width]`. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly width: number;
}

export interface Head {
  /** `[labels, hidden]`. */
  readonly weight: Float32Array;
  /** `[labels]`. */
  readonly bias: Float32Array;
}

/** Sums over the training examples, from which a head for any λ is solved. */
export interface RidgeSystem {
  /** `[width, width]`: the last row and column belong to the constant feature. */
  readonly gram: Float64Array;
  /** `[width, labels]`. */
  readonly moments: Float64Array;
  readonly labelCount: number;
}

export interface RidgeOptions {
  readonly labelCount: number;
  /** Whether every class weighs alike, or every example. */
  readonly isBalanced: boolean;
}

/** `program` runs `ridgeGraph`. */
export async function ridgeSystem(
  program: Program,
  { features, labels, width }: LabelledFeatures,
  { labelCount, isBalanced }: RidgeOptions,
): Promise<RidgeSystem> {
  const count = labels.length;
  const classWeight = isBalanced
    ? classWeights(labels, labelCount)
    : new Float64Array(labelCount).fill(1);
  const targets = new Float32Array(count * labelCount);
  for (const [row, label] of labels.entries()) targets[row * labelCount + label] = 1;
  const weights = Float32Array.from(labels, (label) => classWeight[label] ?? 0);
  const results = await program.run({
    features: matrix(features.slice(), count, width),
    targets: matrix(targets, count, labelCount),
    weights: { type: "float32", shape: [count], values: weights },
  });
  const [gram, moments] = ["gram", "moments"].map((name) =>
    Float64Array.from(present(results[name], "an output of the graph").values, Number),
  ) as [Float64Array, Float64Array]; // two names give two arrays
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

/** Scores `[count, labels]` of a head; `program` runs `scoresGraph`. */
export async function scoresOf(
  program: Program,
  { features, labels, width }: LabelledFeatures,
  { weight, bias }: Head,
): Promise<Float32Array> {
  const rows = new Float32Array(bias.length * width);
  for (const [label, value] of bias.entries()) {
    rows.set(weight.subarray(label * (width - 1), (label + 1) * (width - 1)), label * width);
    rows[(label + 1) * width - 1] = value;
  }
  const { scores } = await program.run({
    features: matrix(features.slice(), labels.length, width),
    head: matrix(rows, bias.length, width),
  });
  return present(scores, "an output of the graph").values as Float32Array; // float32
}

function matrix(values: Float32Array, rows: number, columns: number): Value {
  return { type: "float32", shape: [rows, columns], values };
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
