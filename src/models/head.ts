/** Token states become scores per output: of each token, or of one vector per sequence. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Dimension } from "../tensor/dimension.ts";
import { add, cast, less, where } from "../tensor/operators/elementwise.ts";
import { matmul } from "../tensor/operators/matmul.ts";
import { maskedMean, maskedSoftmax, positions } from "../tensor/operators/neural.ts";
import { reshape, slice } from "../tensor/operators/shape.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import { learnedBias, learnedMatrix, type LearnedTensor } from "./learned-tensor.ts";

/**
 * The tensors of a linear head with this many outputs. They begin with zeros: from the closed-form
 * head, whose scores are sharp already, training overfits at once.
 */
export function headTensors(config: EncoderConfig, outputCount: number): readonly LearnedTensor[] {
  return [
    learnedMatrix("head.weight", [outputCount, config.hiddenSize]),
    learnedBias("head.bias", outputCount),
  ];
}

export interface PoolInputs {
  /** `[batch*sequence, hidden]`. */
  readonly state: Tensor;
  readonly lengths: Tensor;
  readonly sequence: Dimension;
  /** bool `[batch]`: take the first token's state instead of the mean over the tokens. */
  readonly isCls: Tensor;
}

/** One vector per sequence, `[batch, hidden]`. */
export function pool({ state, lengths, sequence, isCls }: PoolInputs): Tensor {
  const [batch = 1] = lengths.shape;
  const [, hidden = 1] = state.shape;
  const rows = reshape(state, [batch, sequence, hidden]);
  const cls = reshape(slice(rows, { axis: 1, start: 0, end: 1 }), [batch, hidden]);
  return where(reshape(isCls, [batch, 1]), cls, maskedMean(rows, lengths));
}

/** Scores `[rows, outputs]` of `[rows, hidden]` by one head for all, as it is trained. */
export function sharedHead(graph: Graph, rows: Tensor): Tensor {
  const [, hidden = 1] = rows.shape;
  const weight = graph.input("head.weight", "float32", ["outputs", hidden]);
  const bias = graph.input("head.bias", "float32", ["outputs"]);
  return add(matmul(rows, weight, { transposeB: true }), bias);
}

/** Probabilities `[batch, outputs]` of `pooled [batch, hidden]`; see `pooledTokenHead`. */
export function pooledHead(graph: Graph, pooled: Tensor): Tensor {
  const [batch = 1, hidden = 1] = pooled.shape;
  const probabilities = pooledTokenHead(graph, reshape(pooled, [batch, 1, hidden]));
  return reshape(probabilities, [batch, "outputs"]);
}

/**
 * Probabilities `[batch, sequence, outputs]` of `states [batch, sequence, hidden]`, every sequence
 * by its own head; outputs at and after the sequence's `outputCounts` get 0.
 */
export function pooledTokenHead(graph: Graph, states: Tensor): Tensor {
  const [batch = 1, , hidden = 1] = states.shape;
  const weight = graph.input("head.weight", "float32", [batch, "outputs", hidden]);
  const bias = graph.input("head.bias", "float32", [batch, "outputs"]);
  const outputCounts = graph.input("outputCounts", "int64", [batch]);
  const product = matmul(states, weight, { transposeB: true });
  const logits = add(product, reshape(bias, [batch, 1, "outputs"]));
  const limit = reshape(cast(outputCounts, "float32"), [batch, 1, 1]);
  return maskedSoftmax(logits, less(positions(bias, 1), limit));
}
