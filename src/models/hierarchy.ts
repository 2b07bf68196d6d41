/**
 * The hierarchical form of an encoder: its shallow part sees tri-grams alone, so that what it
 * computes can be kept in a lookup table. Each tri-gram gives three gated slots, left, middle and
 * right; a token's state is the norm of its own tri-gram's middle slot, the next one's left slot,
 * the previous one's right slot and a place. Sources: Wang et al. 2022 (SkipBERT), section 3;
 * Zhang et al. 2025 (HMI).
 *
 * The id 0 stands for what lies outside the text. It is a token like any other here, seen in
 * training at every edge, so that nothing needs a mask.
 */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { multiply } from "../tensor/dimension.ts";
import { add, cast, greater, max, mul, sigmoid, where } from "../tensor/operators/elementwise.ts";
import { linear } from "../tensor/operators/matmul.ts";
import { positions } from "../tensor/operators/neural.ts";
import { gather, reduceSum, reshape, zerosOf } from "../tensor/operators/shape.ts";
import { type EncoderScope, norm, weight } from "./encoder-scope.ts";
import { shallowPart } from "./encoder.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";

export const ngramSize = 3;

/** The names of the weights that the hierarchical form adds to its base begin so. */
const ngramPrefix = "ngram.";

/** The base's shallow configuration with local positions 0, 1 and 2. */
function localScope(scope: EncoderScope): EncoderScope {
  const config: EncoderConfig = { ...scope.config, positionCount: ngramSize };
  return { ...scope, config, prefix: ngramPrefix };
}

/** The gate of the slots, which no base has. */
export const gate = { weight: "gate.weight", bias: "gate.bias" } as const;

/** Tri-grams `[ngrams, 3]` of token ids to their gated slots `[3*ngrams, hidden]`. */
export function ngramSlots(scope: EncoderScope, ngrams: Tensor): Tensor {
  const { graph } = scope;
  const [count = 1] = ngrams.shape;
  const local = localScope(scope);
  const size = graph.scalar(ngramSize);
  const lengths = cast(add(zerosOf(graph, [count]), size), "int64");
  const state = shallowPart(local, { ids: ngrams, lengths, sequence: ngramSize });
  const opening = linear(
    state,
    weight(local, { name: gate.weight, role: "matrix", shape: [scope.config.hiddenSize, 1] }),
    weight(local, { name: gate.bias, role: "bias", shape: [1] }),
  );
  return mul(state, sigmoid(opening));
}

/**
 * Sums the slots of each token: `indices [batch, sequence, 3]` are rows of `slots [rows, hidden]`,
 * -1 where a text's edge has none.
 */
export function slotSums(slots: Tensor, indices: Tensor): Tensor {
  const { graph } = slots.node;
  const [batch = 1, sequence = 1, count = 1] = indices.shape;
  // Exact in float32: a batch has far fewer than 2^24 slots.
  const row = cast(indices, "float32");
  const chosen = gather(slots, cast(max(row, graph.scalar(0)), "int32"));
  const isThere = reshape(greater(row, graph.scalar(-1)), [batch, sequence, count, 1]);
  return reduceSum(where(isThere, chosen, graph.scalar(0)), [2]);
}

/** The norm of the merge, in its own names. */
export const mergeNorm = "norm";

/** Sums `[batch, sequence, hidden]` to the state between the parts, `[batch*sequence, hidden]`. */
export function mergedState(scope: EncoderScope, sums: Tensor): Tensor {
  const { config } = scope;
  const [batch = 1, sequence = 1, hidden = 1] = sums.shape;
  const merge: EncoderScope = { ...scope, prefix: `${ngramPrefix}merge.` };
  // The segment, which is always 0, is part of the place.
  const shape = [config.positionCount, hidden];
  const place = weight(merge, { name: "position", role: "table", shape });
  const placed = add(sums, gather(place, cast(positions(sums, 1), "int64")));
  return norm(merge, reshape(placed, [multiply(batch, sequence), hidden]), mergeNorm);
}

/** Input `ngrams [ngrams, 3]`; output `slots [ngrams, 3, hidden]`, as a lookup table keeps them. */
export function ngramGraph(config: EncoderConfig, precision: Precision): Graph {
  const graph = new Graph();
  const scope: EncoderScope = { graph, config, precision, isDifferentiated: false };
  const ngrams = graph.input("ngrams", "int32", ["ngrams", ngramSize]);
  const shape = ["ngrams", ngramSize, config.hiddenSize];
  graph.output("slots", reshape(ngramSlots(scope, ngrams), shape));
  return graph;
}

/** Input `sums [batch, sequence, hidden]` of slots; output `state` of the same shape. */
export function mergeGraph(config: EncoderConfig): Graph {
  const graph = new Graph();
  const scope: EncoderScope = { graph, config, precision: "fp32", isDifferentiated: false };
  const shape = ["batch", "sequence", config.hiddenSize];
  const state = mergedState(scope, graph.input("sums", "float32", shape));
  graph.output("state", reshape(state, shape));
  return graph;
}
