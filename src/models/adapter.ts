/**
 * Bottleneck adapters (Houlsby et al. 2019), one in each upper layer, after the attention block and
 * before the feed-forward block: a + up · gelu(down · a + b) + c. Both matrices are
 * `[rank, hidden]`, so that adapters of a lower rank are padded with zeros at the end, which
 * changes nothing.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Dimension, Shape } from "../tensor/dimension.ts";
import { add, gelu } from "../tensor/operators/elementwise.ts";
import { matmul } from "../tensor/operators/matmul.ts";
import { reshape } from "../tensor/operators/shape.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { LayerAdapter } from "./encoder.ts";

interface AdapterWeights {
  readonly down: Tensor;
  readonly downBias: Tensor;
  readonly up: Tensor;
  readonly upBias: Tensor;
}

/** A learned tensor of a vPLM: its name in the version's blob, and its shape. */
export interface LearnedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** The tensors of an adapter of this rank, in the order in which they lie in a pool. */
export function adapterTensors(config: EncoderConfig, rank: number): readonly LearnedTensor[] {
  const { hiddenSize: hidden } = config;
  return adapterLayers(config).flatMap((layer) => [
    { name: `adapter.${layer}.down`, shape: [rank, hidden] },
    { name: `adapter.${layer}.down.bias`, shape: [rank] },
    { name: `adapter.${layer}.up`, shape: [rank, hidden] },
    { name: `adapter.${layer}.up.bias`, shape: [hidden] },
  ]);
}

export function adapterLayers(config: EncoderConfig): readonly number[] {
  const { shallowLayerCount: first, layerCount } = config;
  return Array.from({ length: layerCount - first }, (_, index) => first + index);
}

/** One adapter for the whole batch, as it is trained. Declares inputs with open `rank`. */
export function sharedAdapter(graph: Graph, config: EncoderConfig): LayerAdapter {
  return (layer, state) => adapt(state, declare({ graph, config, layer }, []));
}

/** Every sequence with its own adapter, as it is served. Declares inputs `[batch, …]`. */
export function pooledAdapter(
  graph: Graph,
  config: EncoderConfig,
  [batch, sequence]: readonly [Dimension, Dimension],
): LayerAdapter {
  return (layer, state) => {
    const weights = declare({ graph, config, layer }, [batch]);
    const rows = reshape(state, [batch, sequence, config.hiddenSize]);
    const adapted = adapt(rows, {
      ...weights,
      downBias: reshape(weights.downBias, [batch, 1, "rank"]),
      upBias: reshape(weights.upBias, [batch, 1, config.hiddenSize]),
    });
    return reshape(adapted, state.shape);
  };
}

function declare(
  place: { readonly graph: Graph; readonly config: EncoderConfig; readonly layer: number },
  leading: Shape,
): AdapterWeights {
  const { graph, config, layer } = place;
  const input = (part: string, shape: Shape): Tensor =>
    graph.input(`adapter.${layer}.${part}`, "float32", [...leading, ...shape]);
  return {
    down: input("down", ["rank", config.hiddenSize]),
    downBias: input("down.bias", ["rank"]),
    up: input("up", ["rank", config.hiddenSize]),
    upBias: input("up.bias", [config.hiddenSize]),
  };
}

function adapt(state: Tensor, { down, downBias, up, upBias }: AdapterWeights): Tensor {
  const narrow = gelu(add(matmul(state, down, { transposeB: true }), downBias));
  return add(state, add(matmul(narrow, up), upBias));
}
