/**
 * The BERT family as graphs, always cut in two: the shallow part ends in a hidden state, the upper
 * part starts from it. Only the upper part takes adapters, so that the hidden state of a text does
 * not depend on the tenant. Token states are `[batch*sequence, hidden]`: linears then see one
 * matrix. Source: Devlin et al. 2019; post-LayerNorm as in the released checkpoints.
 */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { type Dimension, multiply } from "../tensor/dimension.ts";
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
}

export interface SequenceInputs {
  /** int32 `[batch, sequence]`. */
  readonly ids: Tensor;
  /** int64 `[batch]`: tokens of each sequence. */
  readonly lengths: Tensor;
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

/** The hidden state between the parts to the last layer's, both `[batch*sequence, hidden]`. */
export function upperPart(
  scope: EncoderScope,
  inputs: { readonly state: Tensor; readonly lengths: Tensor; readonly sequence: Dimension },
  adapter: LayerAdapter = (_, state) => state,
): Tensor {
  const { config } = scope;
  const layers = range(config.shallowLayerCount, config.layerCount);
  return layers.reduce(
    (state, layer) => block(scope, { state, layer, inputs, adapter }),
    inputs.state,
  );
}

function embeddings(scope: EncoderScope, ids: Tensor): Tensor {
  const { graph, config } = scope;
  const hidden = config.hiddenSize;
  const wordCount = scope.wordCount ?? config.vocabularySize;
  const word = graph.input("embeddings.word", "float32", [wordCount, hidden]);
  const position = graph.input("embeddings.position", "float32", [config.positionCount, hidden]);
  // Strata encodes single texts: every token is of segment 0.
  const segment = graph.input("embeddings.segment", "float32", [hidden]);
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
  const { graph, precision, isDifferentiated } = scope;
  const width = Number(x.shape[1]);
  const bias = graph.input(`${name}.bias`, "float32", [size]);
  if (precision === "fp32")
    return linear(x, graph.input(`${name}.weight`, "float32", [width, size]), bias);
  const quantized = (part: string, rows: number, columns: number) => ({
    values: graph.input(`${name}.${part}.values`, "int8", [rows, columns]),
    scale: graph.input(`${name}.${part}.scale`, "float32", [columns]),
  });
  const weight = { ...quantized("int8", width, size), bias };
  const transposed = isDifferentiated ? quantized("int8-transposed", size, width) : undefined;
  return quantizedMatmul(x, weight, transposed);
}

function norm({ graph, config }: EncoderScope, x: Tensor, name: string): Tensor {
  return layerNorm(x, {
    gain: graph.input(`${name}.gain`, "float32", [config.hiddenSize]),
    bias: graph.input(`${name}.bias`, "float32", [config.hiddenSize]),
    epsilon: config.layerNormEpsilon,
  });
}

function range(start: number, end: number): readonly number[] {
  return Array.from({ length: end - start }, (_, index) => start + index);
}
