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
import type { EncoderScope } from "./encoder-scope.ts";
import { sequenceInputs, shallowPart, upperStates } from "./encoder.ts";
import {
  mergedState,
  ngramPrefix,
  ngramSize,
  ngramSlots,
  slotSums,
  upperPrefix,
} from "./hierarchy.ts";
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
  const { errors } = comparison(graph, config, { base: "int8", upper });
  const learned = learnedInputs(graph, learns).map(([name, tensor]) =>
    encoderInput(name, tensor, name.startsWith(upperPrefix) ? upperRateFactor : 1),
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
  const { errors, cosines } = comparison(graph, config, { base: "fp32", upper: "fp32" });
  graph.output(
    "errors",
    concat(
      errors.map((error) => reshape(error, [1])),
      0,
    ),
  );
  graph.output("cosines", cosines);
  const isOfForm = isLearned(ownsUpper ? "upper" : "merge");
  const learned = [...graph.inputs.keys()].filter(isOfForm);
  return { graph, learned, state: Object.fromEntries(learned.map((name) => [name, null])) };
}

/**
 * What learns of a hierarchical form, each with those before it. Tables of several domains are
 * merged by one graph and read by one upper part: a domain learns tri-grams alone.
 */
export type LearnedPart = "ngrams" | "merge" | "upper";

/** What is learned of the hierarchical form whose weights the graph has declared. */
export function learnedInputs(
  graph: Graph,
  learns: LearnedPart,
): readonly (readonly [string, Tensor])[] {
  const isChosen = isLearned(learns);
  return [...graph.inputs].filter(([name]) => isChosen(name));
}

function isLearned(learns: LearnedPart): (name: string) => boolean {
  const merge = `${ngramPrefix}merge.`;
  return (name) => {
    if (name.startsWith(upperPrefix)) return learns === "upper";
    return name.startsWith(ngramPrefix) && (learns !== "ngrams" || !name.startsWith(merge));
  };
}

/**
 * Declares `ngrams` and `indices`; gives the state between the parts and every upper layer's,
 * `[batch*sequence, hidden]` each. The tri-gram part is in float32, the upper one as `scope` says.
 */
export function hierarchicalStates(upper: EncoderScope, lengths: Tensor): readonly Tensor[] {
  const { graph } = upper;
  const scope: EncoderScope = { ...upper, precision: "fp32" };
  const sequence = "sequence";
  const ngrams = graph.input("ngrams", "int32", ["ngrams", ngramSize]);
  const indices = graph.input("indices", "int32", ["batch", sequence, ngramSize]);
  const state = mergedState(scope, slotSums(ngramSlots(scope, ngrams), indices));
  return [state, ...upperStates(upper, { state, lengths, sequence })];
}

interface Comparison {
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
  const given = hierarchicalStates(own, lengths).map(rows);
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
