/** Ridge regression's products over the examples, as graphs; the system is solved elsewhere. */
import { mul } from "../tensor/operators/elementwise.ts";
import { matmul } from "../tensor/operators/matmul.ts";
import { reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";

/**
 * Inputs `features [rows, width]`, `targets [rows, labels]`, `weights [rows]`; outputs
 * `gram [width, width]` = Xᵀ D X and `moments [width, labels]` = Xᵀ D Y.
 */
export function ridgeGraph(): Graph {
  const graph = new Graph();
  const features = graph.input("features", "float32", ["rows", "width"]);
  const targets = graph.input("targets", "float32", ["rows", "labels"]);
  const weights = graph.input("weights", "float32", ["rows"]);
  const weighted = mul(features, reshape(weights, ["rows", 1]));
  graph.output("gram", matmul(weighted, features, { transposeA: true }));
  graph.output("moments", matmul(weighted, targets, { transposeA: true }));
  return graph;
}

/** Inputs `features [rows, width]`, `head [labels, width]`; output `scores [rows, labels]`. */
export function scoresGraph(): Graph {
  const graph = new Graph();
  const features = graph.input("features", "float32", ["rows", "width"]);
  const head = graph.input("head", "float32", ["labels", "width"]);
  graph.output("scores", matmul(features, head, { transposeB: true }));
  return graph;
}
