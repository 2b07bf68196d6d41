/** The place where an encoder is written down, and how its weights become inputs of the graph. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import type { Dimension, Shape } from "../tensor/dimension.ts";
import { type KeptRows, linear, quantizedMatmul } from "../tensor/operators/matmul.ts";
import { layerNorm } from "../tensor/operators/neural.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { DeclaredWeight, WeightRole } from "./declared-weight.ts";
import type { LayerSites } from "./layer-sites.ts";
import { keptRowCount } from "./quantize.ts";

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
  /** Gets each float32 weight of its own that this encoder declares, by name, if one asks. */
  readonly declared?: Map<string, DeclaredWeight>;
}

/** What a weight is called in its encoder, and what it is. */
export interface WeightSpecification {
  readonly name: string;
  readonly role: WeightRole;
  readonly shape: Shape;
  /** The linear layer that has it in other forms too. */
  readonly linear?: string;
}

/** A float32 weight of this encoder, declared at its first use. */
export function weight(
  scope: EncoderScope,
  { name, role, shape, linear: layer }: WeightSpecification,
): Tensor {
  const { graph, prefix = "", declared } = scope;
  const full = `${prefix}${name}`;
  const tensor = graph.inputs.get(full) ?? graph.input(full, "float32", shape);
  const linear = layer === undefined ? {} : { linear: `${prefix}${layer}` };
  declared?.set(full, { tensor, role, ownName: name, ...linear });
  return tensor;
}

/** The word embeddings' input. */
export const wordTable = "embeddings.word";

/** The rows of the word embeddings, `[words, hidden]`. */
export function wordEmbeddings(scope: EncoderScope): Tensor {
  const { prefix, declared, ...shared } = scope;
  const { hiddenSize, vocabularySize } = scope.config;
  const shape = [scope.wordCount ?? vocabularySize, hiddenSize];
  // They are an encoder's own where nothing tells its weights from another one's.
  const isOwn = prefix === undefined && declared !== undefined;
  const specification = { name: wordTable, role: "table", shape } as const;
  return weight(isOwn ? { ...shared, declared } : shared, specification);
}

export interface LinearLayer {
  readonly name: string;
  readonly size: number;
  /** Whether its matrix in int8 keeps some rows in float32. */
  readonly keepsRows?: boolean;
}

/** A frozen or trained linear layer of the base, in the precision of the scope. */
export function project(scope: EncoderScope, x: Tensor, layer: LinearLayer): Tensor {
  const { name, size, keepsRows = false } = layer;
  const { precision, isDifferentiated, prefix = "" } = scope;
  const width = Number(x.shape[1]);
  const bias = weight(scope, { name: `${name}.bias`, role: "bias", shape: [size] });
  if (precision === "fp32") {
    const shape = [width, size];
    const matrix = { name: `${name}.weight`, role: "matrix", shape, linear: name } as const;
    return linear(x, weight(scope, matrix), bias);
  }
  const quantized = (part: string, rows: number, columns: number) => {
    const { graph } = scope;
    const full = `${prefix}${name}.${part}.values`;
    return {
      // A graph may run a layer twice.
      values: graph.inputs.get(full) ?? graph.input(full, "int8", [rows, columns]),
      scale: weight(scope, { name: `${name}.${part}.scale`, role: "gain", shape: [columns] }),
    };
  };
  const forward = keepsRows
    ? { ...quantized("int8-kept", width, size), bias, kept: keptRows(scope, layer, width) }
    : { ...quantized("int8", width, size), bias };
  const transposed = isDifferentiated ? quantized("int8-transposed", size, width) : undefined;
  return quantizedMatmul(x, forward, transposed);
}

function keptRows(scope: EncoderScope, { name, size }: LinearLayer, width: number): KeptRows {
  const { graph, prefix = "" } = scope;
  const count = keptRowCount(width);
  const places = `${prefix}${name}.int8-kept.places`;
  const rows = { name: `${name}.int8-kept.rows`, role: "matrix", shape: [count, size] } as const;
  return {
    places: graph.inputs.get(places) ?? graph.input(places, "int32", [count]),
    rows: weight(scope, rows),
  };
}

/** LayerNorm over the hidden size. */
export function norm(scope: EncoderScope, x: Tensor, name: string): Tensor {
  const { hiddenSize, layerNormEpsilon: epsilon } = scope.config;
  return layerNorm(x, {
    gain: weight(scope, { name: `${name}.gain`, role: "gain", shape: [hiddenSize] }),
    bias: weight(scope, { name: `${name}.bias`, role: "bias", shape: [hiddenSize] }),
    epsilon,
  });
}
