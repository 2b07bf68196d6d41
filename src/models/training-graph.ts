/** Training steps of classification, of texts or of tokens: forward, backward, AdamW in one. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { div, max, mul } from "../tensor/operators/elementwise.ts";
import { crossEntropy } from "../tensor/operators/neural.ts";
import { reduceSum } from "../tensor/operators/shape.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";
import { sharedAdapter } from "./adapter.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { upperPart } from "./encoder.ts";
import { pool, sharedHead } from "./head.ts";
import { learningStep, type StepGraph } from "./learning.ts";
import { shallowState, type StateSource } from "./shallow-state.ts";

/** What is learned: adapters and head over a frozen base, or everything. */
export type TrainingMethod = "adapter" | "full";

/** What gets a label: a sequence, or each of its tokens. */
export type TrainingTask = "sequence" | "token";

export interface TrainingGraphOptions {
  readonly config: EncoderConfig;
  /** Of the frozen linears; `full` trains in fp32. */
  readonly precision: Precision;
  readonly method: TrainingMethod;
  readonly source: StateSource;
  /** "sequence" when absent. */
  readonly task?: TrainingTask;
}

/** The word embeddings' input. */
export const wordTable = "embeddings.word";

/** A pretrained base takes small steps; its new head, which starts at zero, needs larger ones. */
const headRateFactor = 20;

/**
 * `full` reads `embeddings.word [words, hidden]`, the rows of the words that the batch holds, with
 * ids that index them: its new rows and moments are results, not state, since a step over the whole
 * vocabulary would cost more than the rest.
 *
 * Inputs besides the source's: `targets [rows, labels]` (distributions), `exampleWeights [rows]`,
 * and the scalars `learningRate`, `step` (from 1), `stepCount`, `warmupCount`. For sequences there
 * are `batch` rows, and an input `isCls [batch]`; for tokens `batch*sequence`, where padding and
 * what is not to be learned has the weight 0. Output: `loss`, the weighted mean of the
 * cross-entropies.
 */
export function stepGraph(options: TrainingGraphOptions): StepGraph {
  const { graph, logits } = forward(options);
  const { method } = options;
  const loss = lossOf(graph, logits);
  const learned = new Map([...graph.inputs].filter(([name]) => isLearned(name, method)));
  return learningStep(graph, loss, {
    learned,
    rateFactor: (name) => (method === "full" && name.startsWith("head.") ? headRateFactor : 1),
    isFed: (name) => name === wordTable,
  });
}

/** The same forward pass for evaluation: output `logits [rows, labels]`. */
export function logitsGraph(options: TrainingGraphOptions): StepGraph {
  const { graph, logits } = forward(options);
  graph.output("logits", logits);
  const learned = [...graph.inputs.keys()].filter((name) => isLearned(name, options.method));
  return { graph, learned, state: Object.fromEntries(learned.map((name) => [name, null])) };
}

/** Output `pooled [batch, hidden]` of the base alone, from kept states or from ids. */
export function pooledGraph(options: Omit<TrainingGraphOptions, "method" | "task">): Graph {
  const graph = new Graph();
  graph.output("pooled", encode(graph, { ...options, method: "none" }));
  return graph;
}

function forward(options: TrainingGraphOptions): {
  readonly graph: Graph;
  readonly logits: Tensor;
} {
  const graph = new Graph();
  return { graph, logits: sharedHead(graph, encode(graph, options)) };
}

/** One vector per sequence, or the top states of all tokens. */
function encode(
  graph: Graph,
  options: Omit<TrainingGraphOptions, "method"> & { readonly method: TrainingMethod | "none" },
): Tensor {
  const { config, precision, method, source, task } = options;
  const scope = (isDifferentiated: boolean): EncoderScope => ({
    graph,
    config,
    precision,
    isDifferentiated,
    ...(method === "full" ? { wordCount: "words" } : {}),
  });
  const { state, lengths } = shallowState(scope(false), source);
  const adapter = method === "adapter" ? sharedAdapter(graph, config) : undefined;
  const sequence = "sequence";
  const top = upperPart(scope(method === "adapter"), { state, lengths, sequence }, adapter);
  if (task === "token") return top;
  const isCls = graph.input("isCls", "bool", ["batch"]);
  return pool({ state: top, lengths, sequence, isCls });
}

function lossOf(graph: Graph, logits: Tensor): Tensor {
  const targets = graph.input("targets", "float32", logits.shape);
  const weights = graph.input("exampleWeights", "float32", logits.shape.slice(0, 1));
  const total = max(reduceSum(weights, [0]), graph.scalar(1e-6));
  return div(reduceSum(mul(crossEntropy(logits, targets), weights), [0]), total);
}

const learnedByTask = /^(adapter|head)\./;
const learnedByAll = /^(adapter|head|layer|embeddings)\./;

function isLearned(name: string, method: TrainingMethod): boolean {
  return (method === "full" ? learnedByAll : learnedByTask).test(name);
}
