/**
 * Low-rank adapters (LoRA, Hu et al. 2021) of the query and the value projection of a layer:
 * y = x W + b + (x Aᵀ) B, with A `[rank, in]` and B `[rank, out]`. There is no scale beside them:
 * the paper's alpha / r is part of B, as if alpha were the rank.
 */
import type { EncoderConfig } from "../../entities/base-model.ts";
import type { WeightShape } from "../../entities/weights.ts";
import { multiply, type Shape } from "../../tensor/dimension.ts";
import { add } from "../../tensor/operators/elementwise.ts";
import { matmul } from "../../tensor/operators/matmul.ts";
import type { Graph, Tensor } from "../../tensor/tensor.ts";
import type { AdapterKind, AdapterSize, PooledPlace } from "../adapter-kind.ts";
import { type LayerSites, type LinearSite, noSites, type Projection } from "../layer-sites.ts";
import { learnedMatrix } from "../learned-tensor.ts";
import { ownRows, pieceCountOf, productInPieces, rowCountOf, withChange } from "./own-rows.ts";

/** Those that the paper finds best for a given number of weights (section 7.1). */
const projections = ["query", "value"] as const satisfies readonly Projection[];

export const lora: AdapterKind = {
  name: "lora",
  // It has two adapted linears in each layer, where a bottleneck has one place.
  usualRank: 8,
  tensors: ({ hiddenSize: hidden }, { rank, layers }) =>
    sitesIn(layers).flatMap((site) => [
      // The identity to begin with, since B is zero; were A so too, nothing would learn.
      learnedMatrix(nameOf(site, "a"), [rank, hidden], 0.02),
      learnedMatrix(nameOf(site, "b"), [rank, hidden]),
    ]),
  shared,
  pooled,
  pooledTensors,
};

function sitesIn(layers: readonly number[]): readonly LinearSite[] {
  return layers.flatMap((layer) => projections.map((projection) => ({ layer, projection })));
}

type Part = "a" | "b";

function nameOf({ layer, projection }: LinearSite, part: Part): string {
  return `adapter.${layer}.${projection}.${part}`;
}

/** Ranks of a batch are padded to a multiple of this; see `own-rows.ts`. */
const pieceRank = 8;

function pooledTensors(
  { hiddenSize: hidden }: EncoderConfig,
  { rank, layers }: AdapterSize,
): readonly WeightShape[] {
  const pieceCount = pieceCountOf(rank, pieceRank);
  return sitesIn(layers).flatMap((site) => [
    { name: nameOf(site, "a"), shape: [pieceCount, pieceRank, hidden] },
    { name: nameOf(site, "b"), shape: [pieceCount * pieceRank, hidden] },
  ]);
}

function pooled(graph: Graph, config: EncoderConfig, place: PooledPlace): LayerSites {
  const { hiddenSize: hidden } = config;
  const count = rowCountOf(place);
  return actingIn(place.layers, (site, input, output) => {
    const weight = (part: Part, shape: Shape): Tensor =>
      graph.input(nameOf(site, part), "float32", [count, ...shape]);
    const a = weight("a", ["loraPieces", pieceRank, hidden]);
    const b = weight("b", [multiply(pieceRank, "loraPieces"), hidden]);
    return withChange(output, matmul(productInPieces(ownRows(input, place), a), b), place);
  });
}

function shared(graph: Graph, config: EncoderConfig, layers: readonly number[]): LayerSites {
  const shape = ["rank", config.hiddenSize];
  return actingIn(layers, (site, input, output) => {
    const weight = (part: Part): Tensor => graph.input(nameOf(site, part), "float32", shape);
    return add(output, matmul(matmul(input, weight("a"), { transposeB: true }), weight("b")));
  });
}

function actingIn(layers: readonly number[], projected: LayerSites["projected"]): LayerSites {
  const acts = ({ layer, projection }: LinearSite): boolean =>
    layers.includes(layer) && projections.some((adapted) => adapted === projection);
  return {
    ...noSites,
    projected: (site, input, output) => (acts(site) ? projected(site, input, output) : output),
  };
}
