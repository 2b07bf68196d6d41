/** Training steps of any task: forward, backward and AdamW in one. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { Graph, type Tensor } from "../tensor/tensor.ts";
import type { AdapterForm } from "./adapter-kind.ts";
import { adapterKinds, adapterTensors, upperForm } from "./adapters/adapters.ts";
import type { DeclaredWeight } from "./declared-weight.ts";
import { type EncoderScope, wordTable } from "./encoder-scope.ts";
import { upperPart } from "./encoder.ts";
import { headTensors, pool, sharedHead } from "./head.ts";
import { encoderInput, type LearnedInput, learningStep, type StepGraph } from "./learning.ts";
import type { LearnedTensor } from "./learned-tensor.ts";
import { shallowState, type StateSource } from "./shallow-state.ts";
import { sequenceClasses, type TaskGraph, type TaskUnit, tokenClasses } from "./task-graph.ts";

/** What is learned: adapters and head over a frozen base, or everything. */
export type TrainingMethod = "adapter" | "full";

export interface TrainingGraphOptions {
  readonly config: EncoderConfig;
  /** The frozen linears' precision; `full` trains in fp32. */
  readonly precision: Precision;
  readonly method: TrainingMethod;
  /** What `adapter` learns; a bottleneck in the upper layers when absent. */
  readonly adapter?: AdapterForm;
  /** Sources other than ids let the adapter act in the upper layers alone. */
  readonly source: StateSource;
  /** `sequenceClasses` when absent. */
  readonly task?: TaskGraph;
}

/** A pretrained base takes small steps; its new head, which starts at zero, needs larger ones. */
const headRateFactor = 20;

/**
 * `full` reads `embeddings.word [words, hidden]`, the rows of the words that the batch holds, with
 * ids that index them: its new rows and moments are results, not state, since a step over the whole
 * vocabulary would cost more than the rest.
 *
 * Inputs besides the source's: those of the task's loss, and the scalars `learningRate`, `step`
 * (from 1), `stepCount`, `warmupCount`. For sequences there are `batch` rows of scores, and an
 * input `isCls [batch]`; for tokens `batch*sequence`. Output: `loss`.
 */
export function stepGraph(options: TrainingGraphOptions): StepGraph {
  const { graph, logits, learned } = forward(options);
  const { task = sequenceClasses } = options;
  return learningStep(graph, task.loss(graph, logits), learned);
}

/** The same forward pass for evaluation: output `logits [rows, outputs]`. */
export function logitsGraph(options: TrainingGraphOptions): StepGraph {
  const { graph, logits, learned } = forward(options);
  graph.output("logits", logits);
  const names = learned.map(({ name }) => name);
  return { graph, learned: names, state: Object.fromEntries(names.map((name) => [name, null])) };
}

/**
 * Output `features` of the base alone, from kept states or from ids: `[batch, hidden]` for
 * sequences, `[batch*sequence, hidden]` for tokens.
 */
export function featuresGraph(
  options: Omit<EncodeOptions, "task"> & { readonly unit: TaskUnit },
): Graph {
  const graph = new Graph();
  const { unit } = options;
  const task = unit === "token" ? tokenClasses : sequenceClasses;
  graph.output("features", encode(graph, { ...options, task }, {}));
  return graph;
}

interface Forward {
  readonly graph: Graph;
  readonly logits: Tensor;
  readonly learned: readonly LearnedInput[];
}

function forward(options: TrainingGraphOptions): Forward {
  const graph = new Graph();
  const { config } = options;
  if (options.method === "full") {
    const declared = new Map<string, DeclaredWeight>();
    const logits = sharedHead(graph, encode(graph, options, { wordCount: "words", declared }));
    const base = [...declared].map(([name, own]) => ({
      ...encoderInput(name, own),
      isFed: name === wordTable,
    }));
    const head = inputsOf(graph, headTensors(config, 1));
    const faster = head.map((input) => ({ ...input, rateFactor: headRateFactor }));
    return { graph, logits, learned: [...base, ...faster] };
  }
  const { kind, layers } = options.adapter ?? upperForm(config);
  // Gradients flow down to the first layer that is adapted.
  const cut = Math.min(config.shallowLayerCount, ...layers);
  const between = { ...options, config: { ...config, shallowLayerCount: cut } };
  const sites = adapterKinds[kind].shared(graph, config, layers);
  const logits = sharedHead(graph, encode(graph, between, { sites, isDifferentiated: true }));
  // The rank and the number of outputs may be any: the names and how each learns are the same.
  const tensors = [...adapterTensors(config, { kind, layers, rank: 1 }), ...headTensors(config, 1)];
  return { graph, logits, learned: inputsOf(graph, tensors) };
}

function inputsOf(graph: Graph, tensors: readonly LearnedTensor[]): readonly LearnedInput[] {
  return tensors.map(({ name, isDecayed, rateFactor }) => {
    const tensor = present(graph.inputs.get(name), "What is learned is an input");
    return { name, tensor, isDecayed, rateFactor };
  });
}

type EncodeOptions = Omit<TrainingGraphOptions, "method" | "adapter">;

/** One vector per sequence, or the top states of all tokens; `upper` says what is above the cut. */
function encode(
  graph: Graph,
  { config, precision, source, task = sequenceClasses }: EncodeOptions,
  upper: Partial<EncoderScope>,
): Tensor {
  const scope: EncoderScope = { graph, config, precision, isDifferentiated: false, ...upper };
  const { state, lengths } = shallowState({ ...scope, isDifferentiated: false }, source);
  const sequence = "sequence";
  const top = upperPart(scope, { state, lengths, sequence });
  if (task.unit === "token") return top;
  const isCls = graph.input("isCls", "bool", ["batch"]);
  return pool({ state: top, lengths, sequence, isCls });
}
