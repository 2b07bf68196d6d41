/** What the training graphs ask of a kind of task: what gets scores, and how wrong these are. */
import { div, max, mul } from "../tensor/operators/elementwise.ts";
import { crossEntropy } from "../tensor/operators/neural.ts";
import { reduceSum } from "../tensor/operators/shape.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";

/** What gets scores: a sequence by its pooled vector, or each of its tokens by its state. */
export type TaskUnit = "sequence" | "token";

export interface TaskGraph<Unit extends TaskUnit = TaskUnit> {
  readonly unit: Unit;
  /** A scalar of the scores `[rows, outputs]`; declares what it compares them with. */
  loss(graph: Graph, scores: Tensor): Tensor;
}

/** One of several classes for each sequence. */
export const sequenceClasses: TaskGraph<"sequence"> = {
  unit: "sequence",
  loss: classLoss,
};

/** One of several classes for each token. */
export const tokenClasses: TaskGraph<"token"> = { unit: "token", loss: classLoss };

/**
 * The weighted mean of the cross-entropies. Declares `targets [rows, outputs]`, a distribution a
 * row, and `exampleWeights [rows]`: 0 for padding and for what is not to be learned.
 */
function classLoss(graph: Graph, scores: Tensor): Tensor {
  const targets = graph.input("targets", "float32", scores.shape);
  const weights = graph.input("exampleWeights", "float32", scores.shape.slice(0, 1));
  const total = max(reduceSum(weights, [0]), graph.scalar(1e-6));
  return div(reduceSum(mul(crossEntropy(scores, targets), weights), [0]), total);
}
