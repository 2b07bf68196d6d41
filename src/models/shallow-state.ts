/**
 * The upper part's first state is computed from token ids, looked up as sums of n-gram slots, or
 * kept as it is from before.
 */
import { reshape } from "../tensor/operators/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { sequenceInputs, shallowPart } from "./encoder.ts";
import { mergedState } from "./hierarchy.ts";

export type StateSource = "ids" | "sums" | "states";

/**
 * The hidden state between the two parts, `[batch*sequence, hidden]`, and the lengths. Declares
 * `lengths`, and `ids`, or `sums` or `states [batch, sequence, hidden]`.
 */
export function shallowState(
  scope: EncoderScope,
  source: StateSource,
): { readonly state: Tensor; readonly lengths: Tensor } {
  const { graph, config } = scope;
  if (source === "ids") {
    const inputs = sequenceInputs(graph);
    return { state: shallowPart(scope, inputs), lengths: inputs.lengths };
  }
  const { hiddenSize } = config;
  const given = graph.input(source, "float32", ["batch", "sequence", hiddenSize]);
  const lengths = graph.input("lengths", "int64", ["batch"]);
  const state =
    source === "sums" ? mergedState(scope, given) : reshape(given, ["batch*sequence", hiddenSize]);
  return { state, lengths };
}
