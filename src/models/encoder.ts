/**
 * An encoder of any family as graphs, always cut in two: the shallow part ends in a hidden state,
 * the upper part starts from it. Both take adapters; where the shallow part has none, the state
 * between the two does not depend on the tenant. Token states are `[batch*sequence, hidden]`:
 * linears then see one matrix.
 */
import type { Dimension } from "../tensor/dimension.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { familyOf } from "./families/families.ts";

export interface SequenceInputs {
  /** int32 `[batch, sequence]`. */
  readonly ids: Tensor;
  /** int64 `[batch]`: tokens of each sequence. */
  readonly lengths: Tensor;
  /** Size of the sequence axis. */
  readonly sequence?: Dimension;
}

/** Declares the inputs `ids` and `lengths`. */
export function sequenceInputs(graph: Graph): SequenceInputs {
  return {
    ids: graph.input("ids", "int32", ["batch", "sequence"]),
    lengths: graph.input("lengths", "int64", ["batch"]),
  };
}

/** Token ids to the hidden state between the two parts, `[batch*sequence, hidden]`. */
export function shallowPart(scope: EncoderScope, inputs: SequenceInputs): Tensor {
  const { ids, lengths, sequence = "sequence" } = inputs;
  const state = familyOf(scope.config).embeddings(scope, ids);
  const until = scope.config.shallowLayerCount;
  return layerStates(scope, { state, lengths, sequence }, { from: 0, until }).at(-1) ?? state;
}

export interface UpperInputs {
  readonly state: Tensor;
  readonly lengths: Tensor;
  readonly sequence: Dimension;
}

/** The hidden state between the parts to the last layer's, both `[batch*sequence, hidden]`. */
export function upperPart(scope: EncoderScope, inputs: UpperInputs): Tensor {
  return upperStates(scope, inputs).at(-1) ?? inputs.state;
}

/** The states after each upper layer, lowest first. */
export function upperStates(scope: EncoderScope, inputs: UpperInputs): readonly Tensor[] {
  const { shallowLayerCount: from, layerCount: until } = scope.config;
  return layerStates(scope, inputs, { from, until });
}

/** The states after each of the layers from … until - 1. */
function layerStates(
  scope: EncoderScope,
  inputs: UpperInputs,
  { from, until }: { readonly from: number; readonly until: number },
): readonly Tensor[] {
  const family = familyOf(scope.config);
  const states: Tensor[] = [];
  for (let layer = from; layer < until; layer++) {
    const state = states.at(-1) ?? inputs.state;
    states.push(family.layer(scope, { ...inputs, state, layer }));
  }
  return states;
}
