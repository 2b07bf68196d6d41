/** Ridge regression's product over the examples, as a graph; the system is solved elsewhere. */
import { mul } from "../tensor/operators/elementwise.ts";
import { matmul } from "../tensor/operators/matmul.ts";
import { reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";

/** Inputs `features [rows, width]` and `weights [rows]`; output `gram [width, width]` = Xᵀ D X. */
export function gramGraph(): Graph {
  const graph = new Graph();
  const features = graph.input("features", "float32", ["rows", "width"]);
  const weights = graph.input("weights", "float32", ["rows"]);
  const weighted = mul(features, reshape(weights, ["rows", 1]));
  graph.output("gram", matmul(weighted, features, { transposeA: true }));
  return graph;
}
