/**
 * The BERT family as graphs, always cut in two: the shallow part ends in a hidden state, the upper
 * part starts from it. Only the upper part takes adapters, so that the hidden state of a text does
 * not depend on the tenant. Token states are `[batch*sequence, hidden]`: linears then see one
 * matrix. Source: Devlin et al. 2019; post-LayerNorm as in the released checkpoints.
 */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { type Dimension, multiply, type Shape } from "../tensor/dimension.ts";
import { add, cast, gelu } from "../tensor/operators/elementwise.ts";
import { linear, quantizedMatmul } from "../tensor/operators/matmul.ts";
import { attention, layerNorm, positions } from "../tensor/operators/neural.ts";
import { gather, reshape } from "../tensor/operators/shape.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";

/** Where and how an encoder is written down. Its weights become inputs of the graph. */
export interface EncoderScope {
  readonly graph: Graph;
  readonly config: EncoderConfig;
  readonly precision: Precision;
  /** Whether gradients flow through int8 linears, which then need their transposed weights too. */
  readonly isDifferentiated: boolean;
  /** Rows of the word embeddings: the vocabulary, unless the graph is given some rows only. */
  readonly wordCount?: Dimension;
  /** Before the names of all weights but the word embeddings, which every encoder shares. */
  readonly prefix?: string;
}

export interface SequenceInputs {
  /** int32 `[batch, sequence]`. */
  readonly ids: Tensor;
  /** int64 `[batch]`: tokens of each sequence. */
  readonly lengths: Tensor;
  /** Size of the sequence axis. */
  readonly sequence?: Dimension;
}

/** Applied to a layer's state after its attention block, `[batch*sequence, hidden]`. */
export type LayerAdapter = (layer: number, state: Tensor) => Tensor;

/** Declares the inputs `ids` and `lengths`. */
export function sequenceInputs(graph: Graph): SequenceInputs {
  return {
    ids: graph.input("ids", "int32", ["batch", "sequence"]),
    lengths: graph.input("lengths", "int64", ["batch"]),
  };
}

/** Token ids to the hidden state between the two parts, `[batch*sequence, hidden]`. */
export function shallowPart(scope: EncoderScope, inputs: SequenceInputs): Tensor {
  const { config } = scope;
  const layers = range(0, config.shallowLayerCount);
  const embedded = embeddings(scope, inputs.ids);
  return layers.reduce((state, layer) => block(scope, { state, layer, inputs }), embedded);
}

export interface UpperInputs {
  readonly state: Tensor;
  readonly lengths: Tensor;
  readonly sequence: Dimension;
}

/** The hidden state between the parts to the last layer's, both `[batch*sequence, hidden]`. */
export function upperPart(
  scope: EncoderScope,
  inputs: UpperInputs,
  adapter?: LayerAdapter,
): Tensor {
  return upperStates(scope, inputs, adapter).at(-1) ?? inputs.state;
}

/** The states after each upper layer, lowest first. */
export function upperStates(
  scope: EncoderScope,
  inputs: UpperInputs,
  adapter: LayerAdapter = (_, state) => state,
): readonly Tensor[] {
  const { config } = scope;
  const states: Tensor[] = [];
  for (const layer of range(config.shallowLayerCount, config.layerCount)) {
    const state = states.at(-1) ?? inputs.state;
    states.push(block(scope, { state, layer, inputs, adapter }));
  }
  return states;
}

function embeddings(scope: EncoderScope, ids: Tensor): Tensor {
  const { config } = scope;
  const hidden = config.hiddenSize;
  const wordCount = scope.wordCount ?? config.vocabularySize;
  const word = weight({ ...scope, prefix: "" }, "embeddings.word", [wordCount, hidden]);
  const position = weight(scope, "embeddings.position", [config.positionCount, hidden]);
  // Strata encodes single texts: every token is of segment 0.
  const segment = weight(scope, "embeddings.segment", [hidden]);
  const place = add(gather(position, cast(positions(ids, 1), "int64")), segment);
  const states = add(gather(word, ids), place);
  const [batch = 0, sequence = 0] = ids.shape;
  return norm(scope, reshape(states, [multiply(batch, sequence), hidden]), "embeddings.norm");
}

interface BlockInputs {
  readonly state: Tensor;
  readonly layer: number;
  readonly inputs: { readonly lengths: Tensor; readonly sequence?: Dimension };
  readonly adapter?: LayerAdapter;
}

function block(scope: EncoderScope, { state, layer, inputs, adapter }: BlockInputs): Tensor {
  const { hiddenSize: hidden, intermediateSize: inner, headCount } = scope.config;
  const name = (part: string): string => `layer.${layer}.${part}`;
  const batch = inputs.lengths.shape[0] ?? 1;
  const sequence = inputs.sequence ?? "sequence";
  const [query, key, value] = ["query", "key", "value"].map((part) =>
    reshape(project(scope, state, { name: name(part), size: hidden }), [batch, sequence, hidden]),
  ) as [Tensor, Tensor, Tensor]; // three names give three tensors
  const context = attention({ query, key, value, lengths: inputs.lengths, headCount });
  const attended = project(scope, reshape(context, state.shape), {
    name: name("attention"),
    size: hidden,
  });
  const middle = norm(scope, add(attended, state), name("attention.norm"));
  const adapted = adapter === undefined ? middle : adapter(layer, middle);
  const wide = gelu(project(scope, adapted, { name: name("inner"), size: inner }));
  const narrow = project(scope, wide, { name: name("outer"), size: hidden });
  return norm(scope, add(narrow, adapted), name("outer.norm"));
}

/** A frozen or trained linear layer of the base, in the precision of the scope. */
function project(
  scope: EncoderScope,
  x: Tensor,
  { name, size }: { readonly name: string; readonly size: number },
): Tensor {
  const { precision, isDifferentiated, prefix = "" } = scope;
  const width = Number(x.shape[1]);
  const bias = weight(scope, `${name}.bias`, [size]);
  if (precision === "fp32") return linear(x, weight(scope, `${name}.weight`, [width, size]), bias);
  const quantized = (part: string, rows: number, columns: number) => {
    const { graph } = scope;
    const full = `${prefix}${name}.${part}.values`;
    return {
      // A graph may run a layer twice.
      values: graph.inputs.get(full) ?? graph.input(full, "int8", [rows, columns]),
      scale: weight(scope, `${name}.${part}.scale`, [columns]),
    };
  };
  const forward = { ...quantized("int8", width, size), bias };
  const transposed = isDifferentiated ? quantized("int8-transposed", size, width) : undefined;
  return quantizedMatmul(x, forward, transposed);
}

/** LayerNorm over the hidden size. */
export function norm(scope: EncoderScope, x: Tensor, name: string): Tensor {
  const { hiddenSize, layerNormEpsilon: epsilon } = scope.config;
  return layerNorm(x, {
    gain: weight(scope, `${name}.gain`, [hiddenSize]),
    bias: weight(scope, `${name}.bias`, [hiddenSize]),
    epsilon,
  });
}

/** A float32 weight of this encoder, declared at its first use. */
export function weight(scope: EncoderScope, name: string, shape: Shape): Tensor {
  const { graph, prefix = "" } = scope;
  const full = `${prefix}${name}`;
  return graph.inputs.get(full) ?? graph.input(full, "float32", shape);
}

function range(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
