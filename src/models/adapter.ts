/**
 * Bottleneck adapters (Houlsby et al. 2019), one in each upper layer, after the attention block and
 * before the feed-forward block: a + up · gelu(down · a + b) + c. Both matrices are
 * `[rank, hidden]`, so that adapters of a lower rank are padded with zeros at the end, which
 * changes nothing.
 *
 * A served adapter is multiplied in pieces of `rankPiece` rows, because the order in which a matrix
 * product adds up depends on its width: with a width that follows the batch's highest rank, a
 * neighbour would change the last bits of an answer, and int8 rounding would make them visible.
 */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import type { WeightShape } from "../entities/weights.ts";
import { type Dimension, multiply, type Shape } from "../tensor/dimension.ts";
import { add, gelu } from "../tensor/operators/elementwise.ts";
import { matmul } from "../tensor/operators/matmul.ts";
import { reshape, transpose } from "../tensor/operators/shape.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { LayerAdapter } from "./family.ts";

/** The tensors of an adapter of this rank, in the order in which they lie in a pool. */
export function adapterTensors(config: EncoderConfig, rank: number): readonly WeightShape[] {
  const { hiddenSize: hidden } = config;
  return upperLayers(config).flatMap((layer) => [
    { name: `adapter.${layer}.down`, shape: [rank, hidden] },
    { name: `adapter.${layer}.down.bias`, shape: [rank] },
    { name: `adapter.${layer}.up`, shape: [rank, hidden] },
    { name: `adapter.${layer}.up.bias`, shape: [hidden] },
  ]);
}

/** What is learned where nothing else is asked for: a bottleneck in the upper layers. */
export function upperBottleneck(config: EncoderConfig, rank: number): AdapterSpecification {
  return { kind: "bottleneck", rank, layers: upperLayers(config) };
}

/** The layers that every form of a base computes, and that therefore can always be adapted. */
export function upperLayers(config: EncoderConfig): readonly number[] {
  const { shallowLayerCount: first, layerCount } = config;
  return Array.from({ length: layerCount - first }, (_, index) => first + index);
}

/** Ranks of a batch are padded to a multiple of this. */
const rankPiece = 16;

/** The inputs of `pooledAdapter` for a batch whose highest rank is this, without `[batch]`. */
export function pooledAdapterTensors(
  config: EncoderConfig,
  rankMax: number,
): readonly WeightShape[] {
  const pieceCount = Math.max(1, Math.ceil(rankMax / rankPiece));
  return adapterTensors(config, pieceCount * rankPiece).map(({ name, shape }) => ({
    name,
    shape: name.endsWith(".down") ? [pieceCount, rankPiece, config.hiddenSize] : shape,
  }));
}

/** Every sequence with its own adapter, as it is served. Declares inputs `[batch, …]`. */
export function pooledAdapter(
  graph: Graph,
  config: EncoderConfig,
  [batch, sequence]: readonly [Dimension, Dimension],
): LayerAdapter {
  const { hiddenSize: hidden } = config;
  const rank = multiply(rankPiece, "pieces");
  return (layer, state) => {
    const input = (part: string, shape: Shape): Tensor =>
      graph.input(`adapter.${layer}.${part}`, "float32", [batch, ...shape]);
    const down = input("down", ["pieces", rankPiece, hidden]);
    const rows = reshape(state, [batch, 1, sequence, hidden]);
    const pieces = matmul(rows, down, { transposeB: true });
    const joined = reshape(transpose(pieces, [0, 2, 1, 3]), [batch, sequence, rank]);
    const adapted = expand(reshape(state, [batch, sequence, hidden]), joined, {
      downBias: reshape(input("down.bias", [rank]), [batch, 1, rank]),
      up: input("up", [rank, hidden]),
      upBias: reshape(input("up.bias", [hidden]), [batch, 1, hidden]),
    });
    return reshape(adapted, state.shape);
  };
}

/** One adapter for the whole batch, as it is trained. Declares inputs with open `rank`. */
export function sharedAdapter(graph: Graph, config: EncoderConfig): LayerAdapter {
  const { hiddenSize: hidden } = config;
  return (layer, state) => {
    const input = (part: string, shape: Shape): Tensor =>
      graph.input(`adapter.${layer}.${part}`, "float32", shape);
    const product = matmul(state, input("down", ["rank", hidden]), { transposeB: true });
    return expand(state, product, {
      downBias: input("down.bias", ["rank"]),
      up: input("up", ["rank", hidden]),
      upBias: input("up.bias", [hidden]),
    });
  };
}

/** From the product with `down`, of width `rank`, back to the state's width. */
function expand(
  state: Tensor,
  product: Tensor,
  { downBias, up, upBias }: Readonly<Record<"downBias" | "up" | "upBias", Tensor>>,
): Tensor {
  return add(state, add(matmul(gelu(add(product, downBias)), up), upBias));
}
