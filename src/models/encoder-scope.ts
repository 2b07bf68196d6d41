/** The place where an encoder is written down, and how its weights become inputs of the graph. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import type { Dimension, Shape } from "../tensor/dimension.ts";
import { linear, quantizedMatmul } from "../tensor/operators/matmul.ts";
import { layerNorm } from "../tensor/operators/neural.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { LayerSites } from "./layer-sites.ts";

export interface EncoderScope {
  readonly graph: Graph;
  readonly config: EncoderConfig;
  readonly precision: Precision;
  /** Whether gradients flow through int8 linears, which then need their transposed weights too. */
  readonly isDifferentiated: boolean;
  /** Rows of the word embeddings: the vocabulary, unless the graph is given some rows only. */
  readonly wordCount?: Dimension;
  /** Stands before all weights' names but the word embeddings', which every encoder shares. */
  readonly prefix?: string;
  /** The sites where adapters act; there are none when it is absent. */
  readonly sites?: LayerSites;
  /** Gets each float32 weight that this encoder declares, by name, where one asks for them. */
  readonly declared?: Map<string, Tensor>;
}

/** A float32 weight of this encoder, declared at its first use. */
export function weight(scope: EncoderScope, name: string, shape: Shape): Tensor {
  const { graph, prefix = "", declared } = scope;
  const full = `${prefix}${name}`;
  const tensor = graph.inputs.get(full) ?? graph.input(full, "float32", shape);
  declared?.set(full, tensor);
  return tensor;
}

/** The rows of the word embeddings, `[words, hidden]`. */
export function wordEmbeddings(scope: EncoderScope): Tensor {
  const { hiddenSize, vocabularySize } = scope.config;
  const shape = [scope.wordCount ?? vocabularySize, hiddenSize];
  return weight({ ...scope, prefix: "" }, "embeddings.word", shape);
}

/** A frozen or trained linear layer of the base, in the precision of the scope. */
export function project(
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
