/**
 * Distillation of a base into its hierarchical form: the tri-gram part learns to give the state
 * that the base's shallow layers give, and the upper layers, which may learn too, to give the
 * base's states above it. Source: SkipBERT's general distillation, without its attention loss.
 */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { add, cast, div, less, mul, sub, where } from "../tensor/operators/elementwise.ts";
import { l2Normalize, maskedMean, positions } from "../tensor/operators/neural.ts";
import { concat, reduceSum, reshape } from "../tensor/operators/shape.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";
import type { DeclaredWeight } from "./declared-weight.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { sequenceInputs, shallowPart, upperStates } from "./encoder.ts";
import {
  type HierarchicalStates,
  hierarchicalStates,
  type HierarchyPart,
} from "./hierarchical-states.ts";
import { encoderInput, learningStep, type StepGraph } from "./learning.ts";

/**
 * Inputs: `ids [batch, sequence]`, `lengths [batch]`, `ngrams [ngrams, 3]`, the batch's distinct
 * tri-grams, and `indices [batch, sequence, 3]`, rows of their slots (-1: none). The loss is
 * the mean of the relative errors of all supervised states. Upper layers that learn do so at
 * `upperRateFactor` of the rate.
 */
export function distillationStep(
  config: EncoderConfig,
  learns: LearnedPart,
  upperRateFactor = 1,
): StepGraph {
  const graph = new Graph();
  const upper = learns === "upper" ? "fp32" : "int8";
  const { errors, declared } = comparison(graph, config, { base: "int8", upper });
  const learned = learnedWeights(declared, learns).map(([part, name, own]) =>
    encoderInput(name, own, part === "upper" ? upperRateFactor : 1),
  );
  const loss = div(errors.reduce(add), graph.scalar(errors.length));
  return learningStep(graph, loss, learned);
}

/**
 * Takes the same inputs: `errors [states]`, the relative squared error of each supervised state,
 * that between the parts first, and `cosines [batch]` between the mean vectors of both forms. State
 * is all that is the form's own, the upper layers only where they are.
 */
export function distillationExam(config: EncoderConfig, ownsUpper: boolean): StepGraph {
  const graph = new Graph();
  const fp32 = { base: "fp32", upper: "fp32" } as const;
  const { errors, cosines, declared } = comparison(graph, config, fp32);
  graph.output(
    "errors",
    concat(
      errors.map((error) => reshape(error, [1])),
      0,
    ),
  );
  graph.output("cosines", cosines);
  const learned = learnedWeights(declared, ownsUpper ? "upper" : "merge").map(([, name]) => name);
  return { graph, learned, state: Object.fromEntries(learned.map((name) => [name, null])) };
}

/** What learns of a hierarchical form, each with those before it. */
export type LearnedPart = HierarchyPart;

const parts = ["ngrams", "merge", "upper"] as const satisfies readonly LearnedPart[];

/** The weights that learn, of those that the parts of the form have declared. */
function learnedWeights(
  declared: HierarchicalStates["declared"],
  learns: LearnedPart,
): readonly (readonly [LearnedPart, string, DeclaredWeight])[] {
  return parts
    .slice(0, parts.indexOf(learns) + 1)
    .flatMap((part) => [...declared[part]].map(([name, own]) => [part, name, own] as const));
}

interface Comparison extends Pick<HierarchicalStates, "declared"> {
  readonly errors: readonly Tensor[];
  readonly cosines: Tensor;
}

/** The names of the base's layers begin so where the hierarchical form has its own beside them. */
export const basePrefix = "base.";

/** The precisions of the layers that are compared with, and of the upper ones. */
interface Precisions {
  readonly base: Precision;
  readonly upper: Precision;
}

function comparison(graph: Graph, config: EncoderConfig, precisions: Precisions): Comparison {
  const scope: EncoderScope = {
    graph,
    config,
    precision: precisions.base,
    isDifferentiated: false,
    prefix: basePrefix,
  };
  const { ids, lengths } = sequenceInputs(graph);
  const sequence = "sequence";
  const rows = (state: Tensor): Tensor => reshape(state, ["batch", sequence, config.hiddenSize]);
  const state = shallowPart(scope, { ids, lengths });
  const wanted = [state, ...upperStates(scope, { state, lengths, sequence })].map(rows);
  const own: EncoderScope = {
    graph,
    config,
    precision: precisions.upper,
    isDifferentiated: true,
  };
  const form = hierarchicalStates(own, lengths);
  const given = form.states.map(rows);
  const count = reshape(cast(lengths, "float32"), ["batch", 1, 1]);
  const isToken = less(reshape(positions(ids, 1), [1, sequence, 1]), count);
  const pairs = wanted.map((right, index) => ({ right, state: given[index] ?? right }));
  const vectors = [wanted, given].map((all) => {
    const top = all.at(-1) ?? graph.scalar(0);
    return l2Normalize(maskedMean(top, lengths));
  });
  return {
    errors: pairs.map((pair) => relativeError(pair, isToken)),
    cosines: reduceSum(mul(vectors[0] ?? count, vectors[1] ?? count), [1]),
    declared: form.declared,
  };
}

/** Sum of the squared differences over that of the squares, over real tokens. */
function relativeError(
  { state, right }: { readonly state: Tensor; readonly right: Tensor },
  isToken: Tensor,
): Tensor {
  const energy = (x: Tensor): Tensor =>
    reduceSum(where(isToken, mul(x, x), x.node.graph.scalar(0)), [0, 1, 2]);
  return div(energy(sub(state, right)), energy(right));
}
