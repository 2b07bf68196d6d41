/** An encoder's hierarchical form as a whole, from tri-grams up, and the weights of its own. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { DeclaredWeight, WeightRole } from "./declared-weight.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { upperStates } from "./encoder.ts";
import { outputNormOf } from "./families/post-norm.ts";
import { gate, mergedState, mergeNorm, ngramSize, ngramSlots, slotSums } from "./hierarchy.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";

/** Weights that a graph has declared, by name. */
export type Declared = ReadonlyMap<string, DeclaredWeight>;

/**
 * The parts of a hierarchical form. Tables of several domains are merged by one merge and read by
 * one upper part: a domain has tri-grams alone.
 */
export type HierarchyPart = "ngrams" | "merge" | "upper";

export interface HierarchicalStates {
  /** The state between the parts and every upper layer's, `[batch*sequence, hidden]` each. */
  readonly states: readonly Tensor[];
  readonly declared: Readonly<Record<HierarchyPart, Declared>>;
}

/**
 * Declares `ngrams` and `indices`. The tri-gram part is in float32, the upper one as `scope` says.
 */
export function hierarchicalStates(upper: EncoderScope, lengths: Tensor): HierarchicalStates {
  const { graph } = upper;
  const none = (): Map<string, DeclaredWeight> => new Map();
  const declared = { ngrams: none(), merge: none(), upper: none() };
  const lower = (part: "ngrams" | "merge"): EncoderScope => ({
    ...upper,
    precision: "fp32",
    declared: declared[part],
  });
  const sequence = "sequence";
  const ngrams = graph.input("ngrams", "int32", ["ngrams", ngramSize]);
  const indices = graph.input("indices", "int32", ["batch", sequence, ngramSize]);
  const sums = slotSums(ngramSlots(lower("ngrams"), ngrams), indices);
  const state = mergedState(lower("merge"), sums);
  const above = { ...upper, declared: declared.upper };
  return { states: [state, ...upperStates(above, { state, lengths, sequence })], declared };
}

/** A weight of a hierarchical form, outside of graphs. */
export interface HierarchyWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly part: HierarchyPart;
  readonly role: WeightRole;
  /** The linear layer whose matrix it is, if it has other forms too. */
  readonly linear: string | undefined;
  /** The base's weight with whose first values it starts, or the number that fills it. */
  readonly start: string | number;
}

/** All weights of the form in float32: those of its upper layers only where they are its own. */
export function hierarchyWeights(
  config: EncoderConfig,
  ownsUpper: boolean,
): readonly HierarchyWeight[] {
  const graph = new Graph();
  const scope: EncoderScope = { graph, config, precision: "fp32", isDifferentiated: false };
  const { declared } = hierarchicalStates(scope, graph.input("lengths", "int64", ["batch"]));
  const parts = (["ngrams", "merge", "upper"] as const).slice(0, ownsUpper ? 3 : 2);
  return parts.flatMap((part) =>
    [...declared[part]].map(([name, { tensor, role, ownName, linear }]) => ({
      name,
      shape: tensor.shape.map(Number),
      part,
      role,
      linear,
      start: startOf(config, part, ownName),
    })),
  );
}

/**
 * The tri-gram part starts as the base's shallow layers at its first three places, the merge as the
 * norm that ends them.
 */
function startOf(
  { shallowLayerCount }: EncoderConfig,
  part: HierarchyPart,
  ownName: string,
): HierarchyWeight["start"] {
  if (part === "merge") {
    const last = outputNormOf(shallowLayerCount - 1);
    const kind = (["gain", "bias"] as const).find((one) => ownName === `${mergeNorm}.${one}`);
    return kind === undefined ? 0 : `${last}.${kind}`;
  }
  // Three slots make a token: each counts a third at first.
  if (ownName === gate.bias) return -Math.LN2;
  return ownName === gate.weight ? 0 : ownName;
}
