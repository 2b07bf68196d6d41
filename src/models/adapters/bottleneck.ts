/**
 * Bottleneck adapters (Houlsby et al. 2019), after the attention block and before the feed-forward
 * block of a layer: a + up · gelu(down · a + b) + c. Both matrices are `[rank, hidden]`.
 */
import type { EncoderConfig } from "../../entities/base-model.ts";
import type { WeightShape } from "../../entities/weights.ts";
import { multiply, type Shape } from "../../tensor/dimension.ts";
import { add, gelu } from "../../tensor/operators/elementwise.ts";
import { matmul } from "../../tensor/operators/matmul.ts";
import { reshape } from "../../tensor/operators/shape.ts";
import type { Graph, Tensor } from "../../tensor/tensor.ts";
import type { AdapterKind, AdapterSize, PooledPlace } from "../adapter-kind.ts";
import { type LayerSites, noSites } from "../layer-sites.ts";
import { learnedBias, learnedMatrix } from "../learned-tensor.ts";
import { ownRows, pieceCountOf, productInPieces, rowCountOf, withChange } from "./own-rows.ts";

export const bottleneck: AdapterKind = {
  name: "bottleneck",
  usualRank: 16,
  tensors: ({ hiddenSize: hidden }, { rank, layers }) =>
    layers.flatMap((layer) => [
      // The identity to begin with, since `up` is zero; were `down` so too, nothing would learn.
      learnedMatrix(nameOf(layer, "down"), [rank, hidden], 0.02),
      learnedBias(nameOf(layer, "down.bias"), rank),
      learnedMatrix(nameOf(layer, "up"), [rank, hidden]),
      learnedBias(nameOf(layer, "up.bias"), hidden),
    ]),
  shared,
  pooled,
  pooledTensors,
};

type Part = "down" | "down.bias" | "up" | "up.bias";

function nameOf(layer: number, part: Part): string {
  return `adapter.${layer}.${part}`;
}

/** Ranks of a batch are padded to a multiple of this; see `own-rows.ts`. */
const pieceRank = 16;

function pooledTensors(
  { hiddenSize: hidden }: EncoderConfig,
  { rank, layers }: AdapterSize,
): readonly WeightShape[] {
  const pieceCount = pieceCountOf(rank, pieceRank);
  return layers.flatMap((layer) => [
    { name: nameOf(layer, "down"), shape: [pieceCount, pieceRank, hidden] },
    { name: nameOf(layer, "down.bias"), shape: [pieceCount * pieceRank] },
    { name: nameOf(layer, "up"), shape: [pieceCount * pieceRank, hidden] },
    { name: nameOf(layer, "up.bias"), shape: [hidden] },
  ]);
}

function pooled(graph: Graph, config: EncoderConfig, place: PooledPlace): LayerSites {
  const { hiddenSize: hidden } = config;
  const count = rowCountOf(place);
  const rank = multiply(pieceRank, "bottleneckPieces");
  return actingIn(place.layers, (layer, state) => {
    const input = (part: Part, shape: Shape): Tensor =>
      graph.input(nameOf(layer, part), "float32", [count, ...shape]);
    const down = input("down", ["bottleneckPieces", pieceRank, hidden]);
    const change = changeOf(productInPieces(ownRows(state, place), down), {
      downBias: reshape(input("down.bias", [rank]), [count, 1, rank]),
      up: input("up", [rank, hidden]),
      upBias: reshape(input("up.bias", [hidden]), [count, 1, hidden]),
    });
    return withChange(state, change, place);
  });
}

function shared(graph: Graph, config: EncoderConfig, layers: readonly number[]): LayerSites {
  const { hiddenSize: hidden } = config;
  return actingIn(layers, (layer, state) => {
    const input = (part: Part, shape: Shape): Tensor =>
      graph.input(nameOf(layer, part), "float32", shape);
    const product = matmul(state, input("down", ["rank", hidden]), { transposeB: true });
    const change = changeOf(product, {
      downBias: input("down.bias", ["rank"]),
      up: input("up", ["rank", hidden]),
      upBias: input("up.bias", [hidden]),
    });
    return add(state, change);
  });
}

function actingIn(layers: readonly number[], adapted: LayerSites["adapted"]): LayerSites {
  return {
    ...noSites,
    adapted: (layer, state) => (layers.includes(layer) ? adapted(layer, state) : state),
  };
}

/** What is added to the state, from its product with `down`, of width `rank`. */
function changeOf(
  product: Tensor,
  { downBias, up, upBias }: Readonly<Record<"downBias" | "up" | "upBias", Tensor>>,
): Tensor {
  return add(matmul(gelu(add(product, downBias)), up), upBias);
}
