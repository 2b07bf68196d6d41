/**
 * Prepares a linear layer's weights for the engine: checkpoints hold `[out, in]`, the engine
 * multiplies by `[in, out]`, in float32 or as int8 with one scale per column.
 */
import { cast, div, max, mul, neg, round, scalarOf } from "../tensor/operators/elementwise.ts";
import { reduceMax } from "../tensor/operators/neural.ts";
import { reshape, transpose } from "../tensor/operators/shape.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";

/** How many rows of a matrix of `size` rows are kept in float32, see `KeptRows`. */
export function keptRowCount(size: number): number {
  return Math.min(8, Math.ceil(size / 4));
}

/**
 * Input `stored [out, in]`; outputs `weight [in, out]`, `int8.values [in, out]`,
 * `int8.scale [out]`, and the same of the transpose: `int8-transposed.values [out, in]`,
 * `int8-transposed.scale [in]`.
 */
export function quantizeGraph(): Graph {
  const graph = new Graph();
  const stored = graph.input("stored", "float32", ["out", "in"]);
  const weight = transpose(stored, [1, 0]);
  graph.output("weight", weight);
  for (const [name, matrix] of [
    ["int8", weight],
    ["int8-transposed", stored],
  ] as const) {
    const { values, scale } = quantizeColumns(matrix);
    graph.output(`${name}.values`, values);
    graph.output(`${name}.scale`, scale);
  }
  return graph;
}

/** Symmetric: scale = max |column| / 127, values = round(column / scale). */
function quantizeColumns(matrix: Tensor): { readonly values: Tensor; readonly scale: Tensor } {
  const [, columns = 1] = matrix.shape;
  const highest = reduceMax(max(matrix, neg(matrix)), [0], true);
  // A column of zeros gets a scale that keeps the quotient finite.
  const scale = max(mul(highest, scalarOf(matrix, 1 / 127)), scalarOf(matrix, 1e-12));
  const values = cast(round(div(matrix, scale)), "int8");
  return { values, scale: reshape(scale, [columns]) };
}
