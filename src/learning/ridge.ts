/**
 * A classification head in closed form: ridge regression from pooled features to one-hot labels,
 * (Xᵀ D X + λ I) W = Xᵀ D Y with D weighting every class, or every example, alike. λ, D and the
 * temperature are chosen by leaving each content out in turn, which costs one more substitution
 * per content and no held-out example. Solving needs double precision, and seconds for wide bases
 * or many labels: it runs in a thread of its own (`ridge-solver.ts`).
 */
import { present } from "../foundation/assert.ts";

export interface RidgeProblem {
  /** `[rows, width]`; the last feature of each row is the constant 1. */
  readonly features: Float32Array;
  /** Each row has one. */
  readonly labels: Int32Array;
  /** Each row has one; copies have the same. */
  readonly digests: Float64Array;
  readonly width: number;
  readonly labelCount: number;
  readonly weightings: readonly Weighting[];
  /** Features of what the head answers, `[rows, width]`. */
  readonly asked: Float32Array;
}

export interface Weighting {
  /** Each row has one; see `rowWeights`. */
  readonly weights: Float32Array;
  /** Xᵀ D X, `[width, width]`; the last row and column belong to the constant feature. */
  readonly gram: Float32Array;
}

export interface Head {
  /** `[labels, hidden]`. */
  readonly weight: Float32Array;
  /** `[labels]`. */
  readonly bias: Float32Array;
}

export interface RidgeSolution {
  readonly head: Head;
  /** Label of each row that was asked. */
  readonly answers: Int32Array;
}

const lambdas = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1] as const;
/** Factors of the scores before the softmax: least squares leaves them in about [0, 1]. */
const inverseTemperatures = [1, 2, 4, 6, 8, 12, 16, 24] as const;
/** Contents that are left out: enough to choose by, however many there are. */
const leftOutCountMax = 400;

/** Weights of the rows of which each class has the same in all, or each row; their mean is 1. */
export function rowWeights(
  labels: Int32Array,
  { labelCount, isBalanced }: { readonly labelCount: number; readonly isBalanced: boolean },
): Float32Array {
  if (!isBalanced) return new Float32Array(labels.length).fill(1);
  const counts = new Float64Array(labelCount);
  for (const label of labels) counts[label] = at(counts, label) + 1;
  const presentCount = counts.filter((count) => count > 0).length;
  return Float32Array.from(labels, (label) => labels.length / (presentCount * at(counts, label)));
}

/** The head that answers contents best that it was fitted without; fitted on all of them. */
export function solveRidge(problem: RidgeProblem): RidgeSolution {
  const contents = contentsOf(problem);
  let best: Candidate | undefined;
  for (const weighting of problem.weightings) {
    const moments = momentsOf(problem, weighting);
    for (const lambda of lambdas) {
      const lower = factored(weighting.gram, { width: problem.width, lambda });
      const rows = moments.map((moment) => substituted(lower, moment));
      const scores = contents.map((content) =>
        scoresWithout(problem, { content, weighting, lower, rows }),
      );
      for (const factor of inverseTemperatures) {
        const fitness = fitnessOf(problem, { contents, scores, factor });
        if (best === undefined || isBetter(fitness, best.fitness)) best = { fitness, rows, factor };
      }
    }
  }
  const { rows, factor } = present(best, "there are candidates");
  return { head: headOf(rows, factor), answers: answersTo(problem.asked, rows) };
}

interface Candidate {
  readonly fitness: Fitness;
  /** Each label has one, `[width]`. */
  readonly rows: readonly Float64Array[];
  readonly factor: number;
}

/** Rows of one content each, of at most `leftOutCountMax` contents: those of the lowest digests. */
function contentsOf({ digests }: RidgeProblem): readonly (readonly number[])[] {
  const copies = new Map<number, number[]>();
  for (const [row, digest] of digests.entries()) {
    const known = copies.get(digest);
    if (known === undefined) copies.set(digest, [row]);
    else known.push(row);
  }
  const sorted = [...copies].toSorted(([a], [b]) => a - b);
  return sorted.slice(0, leftOutCountMax).map(([, rows]) => rows);
}

/** Xᵀ D Y: of each label, `[width]`. */
function momentsOf(
  { features, labels, width, labelCount }: RidgeProblem,
  { weights }: Weighting,
): readonly Float64Array[] {
  const moments = Array.from({ length: labelCount }, () => new Float64Array(width));
  for (const [row, label] of labels.entries()) {
    const moment = present(moments[label], "a label of the problem");
    const weight = at(weights, row);
    for (let i = 0; i < width; i++)
      moment[i] = at(moment, i) + weight * at(features, row * width + i);
  }
  return moments;
}

/** Cholesky's L of gram + λ I; λ is relative to the mean of the features' squares. */
function factored(
  gram: Float32Array,
  { width, lambda }: { readonly width: number; readonly lambda: number },
): Float64Array {
  const lower = Float64Array.from(gram);
  let trace = 0;
  for (let i = 0; i < width - 1; i++) trace += at(lower, i * width + i);
  // The constant feature is not shrunk.
  for (let i = 0; i < width - 1; i++)
    lower[i * width + i] = at(lower, i * width + i) + (lambda * trace) / (width - 1);
  choleskyInPlace(lower, width);
  return lower;
}

interface LeftOut {
  /** Its rows. */
  readonly content: readonly number[];
  readonly weighting: Weighting;
  readonly lower: Float64Array;
  readonly rows: readonly Float64Array[];
}

/**
 * Scores of a content by the head fitted on all others: y - (y - s) / (1 - h), with s its scores
 * by the head fitted on all, y the mean of its one-hot labels, and h = d xᵀ A⁻¹ x its leverage
 * (Sherman and Morrison 1950; for one row of weight 1, Allen's PRESS of 1974).
 */
function scoresWithout(
  { features, labels, width }: RidgeProblem,
  { content, weighting, lower, rows }: LeftOut,
): Float64Array {
  const start = (content[0] ?? 0) * width;
  const x = Float64Array.from(features.subarray(start, start + width));
  const targets = new Float64Array(rows.length);
  let weight = 0;
  for (const row of content) {
    const own = at(weighting.weights, row);
    targets[labels[row] ?? 0] = at(targets, labels[row] ?? 0) + own;
    weight += own;
  }
  const half = x.slice();
  forward(lower, half);
  // A content that alone spans a direction has the leverage 1, but for rounding.
  const rest = Math.max(1 - weight * dot(half, half, 0), 1e-9);
  return targets.map((target, label) => {
    const y = target / weight;
    return y - (y - dot(x, rows[label] ?? x, 0)) / rest;
  });
}

interface Fitness {
  readonly accuracy: number;
  /** Mean negative log-likelihood. */
  readonly loss: number;
}

/** The more accurate; among equals the one with the lower loss. */
function isBetter(a: Fitness, b: Fitness): boolean {
  return a.accuracy > b.accuracy || (a.accuracy === b.accuracy && a.loss < b.loss);
}

/** Judges by the scores of each content; each of its copies has a label. */
function fitnessOf(
  { labels }: RidgeProblem,
  judged: {
    readonly contents: readonly (readonly number[])[];
    readonly scores: readonly Float64Array[];
    readonly factor: number;
  },
): Fitness {
  const { contents, scores, factor } = judged;
  let accuracy = 0;
  let loss = 0;
  for (const [index, content] of contents.entries()) {
    const own = present(scores[index], "scores of every content");
    const highest = own.reduce((a, b) => Math.max(a, b), -Infinity);
    const total = own.reduce((sum, score) => sum + Math.exp(factor * (score - highest)), 0);
    for (const row of content) {
      const score = at(own, labels[row] ?? 0);
      if (score === highest) accuracy += 1 / content.length;
      loss += (Math.log(total) - factor * (score - highest)) / content.length;
    }
  }
  return { accuracy: accuracy / contents.length, loss: loss / contents.length };
}

function headOf(rows: readonly Float64Array[], factor: number): Head {
  const hidden = (rows[0]?.length ?? 1) - 1;
  const weight = new Float32Array(rows.length * hidden);
  for (const [label, row] of rows.entries())
    weight.set(
      row.subarray(0, hidden).map((value) => value * factor),
      label * hidden,
    );
  return { weight, bias: Float32Array.from(rows, (row) => at(row, hidden) * factor) };
}

function answersTo(asked: Float32Array, rows: readonly Float64Array[]): Int32Array {
  const width = rows[0]?.length ?? 1;
  const answers = new Int32Array(asked.length / width);
  for (let index = 0; index < answers.length; index++) {
    let highest = -Infinity;
    for (const [label, row] of rows.entries()) {
      const score = dot(row, asked, index * width);
      if (score <= highest) continue;
      highest = score;
      answers[index] = label;
    }
  }
  return answers;
}

/** Lower Cholesky factor of a symmetric positive definite matrix; the lower half is read. */
function choleskyInPlace(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = at(matrix, i * size + j);
      for (let k = 0; k < j; k++) sum -= at(matrix, i * size + k) * at(matrix, j * size + k);
      // Rounding may leave a tiny negative pivot where features depend on each other.
      matrix[i * size + j] =
        i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / at(matrix, j * size + j);
    }
  }
}

/** The x of L Lᵀ x = b. */
function substituted(lower: Float64Array, b: Float64Array): Float64Array {
  const x = b.slice();
  forward(lower, x);
  const size = x.length;
  // By rows of L, which lie together.
  for (let i = size - 1; i >= 0; i--) {
    const value = at(x, i) / at(lower, i * size + i);
    x[i] = value;
    for (let k = 0; k < i; k++) x[k] = at(x, k) - at(lower, i * size + k) * value;
  }
  return x;
}

/** Solves L x = b in place. */
function forward(lower: Float64Array, b: Float64Array): void {
  const size = b.length;
  for (let i = 0; i < size; i++) {
    let sum = at(b, i);
    for (let k = 0; k < i; k++) sum -= at(lower, i * size + k) * at(b, k);
    b[i] = sum / at(lower, i * size + i);
  }
}

/** The product of `a` and as many values of `b` from `start`. */
function dot(a: Float64Array, b: Float64Array | Float32Array, start: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += at(a, i) * at(b, start + i);
  return sum;
}

function at(values: Float64Array | Float32Array, index: number): number {
  return values[index] ?? 0; // indices are in range
}
