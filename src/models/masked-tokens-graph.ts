/**
 * Masked-language modelling through the hierarchical form: the words under masks are told from the
 * top states by a head over the base's own word embeddings. Upper layers, word embeddings and merge
 * stay as they are. Sources: Devlin et al. 2019, section 3.1; Zhang et al. 2025 (HMI), whose domain
 * knowledge is learned in this way.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import { add, cast, equal, gelu, mul } from "../tensor/operators/elementwise.ts";
import { matmul } from "../tensor/operators/matmul.ts";
import { crossEntropy, oneHot, reduceMax, reduceMean } from "../tensor/operators/neural.ts";
import { gather, reduceSum } from "../tensor/operators/shape.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";
import type { DeclaredWeight } from "./declared-weight.ts";
import { type EncoderScope, norm, project, weight, wordEmbeddings } from "./encoder-scope.ts";
import {
  type Declared,
  type HierarchicalStates,
  hierarchicalStates,
} from "./hierarchical-states.ts";
import { encoderInput, learningStep, type StepGraph } from "./learning.ts";

/** The names of the head's weights, which serve training alone, begin so. */
const wordHeadPrefix = "wordHead.";

/** What the head adds to the score of each word. */
export const wordBias = `${wordHeadPrefix}bias`;

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
  const { losses, head, form } = prediction(graph, config);
  const ngrams = learnsNgrams ? [...form.ngrams] : [];
  return learningStep(graph, reduceMean(losses, [0]), [
    ...[...head].map(([name, own]) => encoderInput(name, own, headRateFactor)),
    ...ngrams.map(([name, own]) => encoderInput(name, own)),
  ]);
}

/**
 * Takes the same inputs: `losses [masked]`, and `hits [masked]`, 1 where the word is told rightly.
 */
export function maskedTokensExam(config: EncoderConfig): StepGraph {
  const graph = new Graph();
  const { losses, hits, head, form } = prediction(graph, config);
  graph.output("losses", losses);
  graph.output("hits", hits);
  const learned = [form.ngrams, form.merge, head].flatMap((part) => [...part.keys()]);
  return { graph, learned, state: Object.fromEntries(learned.map((name) => [name, null])) };
}

/** The head's weights by name. */
export function wordHeadWeights(config: EncoderConfig): Declared {
  return prediction(new Graph(), config).head;
}

interface Prediction {
  readonly head: Declared;
  readonly form: HierarchicalStates["declared"];
  readonly losses: Tensor;
  readonly hits: Tensor;
}

function prediction(graph: Graph, config: EncoderConfig): Prediction {
  const scope: EncoderScope = { graph, config, precision: "fp32", isDifferentiated: true };
  const lengths = graph.input("lengths", "int64", ["batch"]);
  const { states, declared: form } = hierarchicalStates(scope, lengths);
  const rows = graph.input("rows", "int32", ["masked"]);
  const targets = graph.input("targets", "int64", ["masked"]);
  const top = states.at(-1) ?? graph.scalar(0);
  const head = new Map<string, DeclaredWeight>();
  const own: EncoderScope = { ...scope, prefix: wordHeadPrefix, declared: head };
  const logits = wordScores(own, gather(top, rows));
  const words = oneHot(targets, config.vocabularySize);
  const ofTarget = reduceSum(mul(logits, words), [1]);
  return {
    head,
    form,
    losses: crossEntropy(logits, words),
    hits: cast(equal(ofTarget, reduceMax(logits, [1])), "float32"),
  };
}

/** States `[masked, hidden]` to scores `[masked, vocabulary]`. */
function wordScores(head: EncoderScope, states: Tensor): Tensor {
  const { hiddenSize: size, vocabularySize } = head.config;
  const wide = gelu(project(head, states, { name: "dense", size }));
  const product = matmul(norm(head, wide, "norm"), wordEmbeddings(head), { transposeB: true });
  return add(product, weight(head, { name: "bias", role: "bias", shape: [vocabularySize] }));
}
