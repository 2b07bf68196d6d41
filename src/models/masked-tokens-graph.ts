/**
 * Masked-language modelling through the hierarchical form: the words under masks are told from the
 * top states by a head over the base's own word embeddings. Upper layers, word embeddings and merge
 * stay as they are. Sources: Devlin et al. 2019, section 3.1; Zhang et al. 2025 (HMI), whose domain
 * knowledge is learned in this way.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import { add, cast, equal, gelu, mul } from "../tensor/operators/elementwise.ts";
import { linear, matmul } from "../tensor/operators/matmul.ts";
import { crossEntropy, oneHot, reduceMax, reduceMean } from "../tensor/operators/neural.ts";
import { gather, reduceSum } from "../tensor/operators/shape.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";
import { hierarchicalStates, learnedInputs } from "./distillation-graph.ts";
import { type EncoderScope, norm, weight } from "./encoder-scope.ts";
import { ngramPrefix } from "./hierarchy.ts";
import { encoderInput, learningStep, type StepGraph } from "./learning.ts";

/** The names of the head's weights, which serve training alone, begin so. */
export const wordHeadPrefix = "wordHead.";

/** The head is new, and the tri-gram part is not. */
const headRateFactor = 4;

/**
 * Learns the head, with or without the tri-gram part. Inputs: `lengths [batch]`, `ngrams
 * [ngrams, 3]` and `indices [batch, sequence, 3]` of the texts with their masks, `rows [masked]`,
 * the masked tokens' rows of `[batch*sequence]`, and `targets [masked]`, their words.
 */
export function maskedTokensStep(
  config: EncoderConfig,
  { learnsNgrams }: { readonly learnsNgrams: boolean },
): StepGraph {
  const graph = new Graph();
  const { losses } = prediction(graph, config);
  const head = [...graph.inputs].filter(([name]) => name.startsWith(wordHeadPrefix));
  const ngrams = learnsNgrams ? learnedInputs(graph, "ngrams") : [];
  return learningStep(graph, reduceMean(losses, [0]), [
    ...head.map(([name, tensor]) => encoderInput(name, tensor, headRateFactor)),
    ...ngrams.map(([name, tensor]) => encoderInput(name, tensor)),
  ]);
}

/**
 * Takes the same inputs: `losses [masked]`, and `hits [masked]`, 1 where the word is told rightly.
 */
export function maskedTokensExam(config: EncoderConfig): StepGraph {
  const graph = new Graph();
  const { losses, hits } = prediction(graph, config);
  graph.output("losses", losses);
  graph.output("hits", hits);
  const learned = [...graph.inputs.keys()].filter(
    (name) => name.startsWith(wordHeadPrefix) || name.startsWith(ngramPrefix),
  );
  return { graph, learned, state: Object.fromEntries(learned.map((name) => [name, null])) };
}

interface Prediction {
  readonly losses: Tensor;
  readonly hits: Tensor;
}

function prediction(graph: Graph, config: EncoderConfig): Prediction {
  const scope: EncoderScope = { graph, config, precision: "fp32", isDifferentiated: true };
  const states = hierarchicalStates(scope, graph.input("lengths", "int64", ["batch"]));
  const rows = graph.input("rows", "int32", ["masked"]);
  const targets = graph.input("targets", "int64", ["masked"]);
  const top = states.at(-1) ?? graph.scalar(0);
  const logits = wordScores(scope, gather(top, rows));
  const words = oneHot(targets, config.vocabularySize);
  const ofTarget = reduceSum(mul(logits, words), [1]);
  return {
    losses: crossEntropy(logits, words),
    hits: cast(equal(ofTarget, reduceMax(logits, [1])), "float32"),
  };
}

/** States `[masked, hidden]` to scores `[masked, vocabulary]`. */
function wordScores(scope: EncoderScope, states: Tensor): Tensor {
  const { hiddenSize: hidden, vocabularySize: words } = scope.config;
  const head: EncoderScope = { ...scope, prefix: wordHeadPrefix };
  const dense = weight(head, "dense.weight", [hidden, hidden]);
  const wide = gelu(linear(states, dense, weight(head, "dense.bias", [hidden])));
  const decoder = weight(scope, "embeddings.word", [words, hidden]);
  const scores = matmul(norm(head, wide, "norm"), decoder, { transposeB: true });
  return add(scores, weight(head, "bias", [words]));
}
