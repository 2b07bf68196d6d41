/**
 * Adapters act at sites within the layers of an encoder, shallow or upper: each layer asks the
 * sites what becomes of a linear's output and of the state after its attention block.
 */
import type { Tensor } from "../tensor/tensor.ts";

/** The frozen linears of a layer: attention's and its output's, and the feed-forward block's. */
export type Projection = "query" | "key" | "value" | "attention" | "inner" | "outer";

export interface LinearSite {
  readonly layer: number;
  readonly projection: Projection;
}

/** Each gives a tensor like its last argument, and that itself where it has no part. */
export interface LayerSites {
  /** A linear's `input [rows, in]` and `output [rows, out]`, bias included, to the output. */
  projected(site: LinearSite, input: Tensor, output: Tensor): Tensor;
  /** The state after the attention block and its norm, `[rows, hidden]`. */
  adapted(layer: number, state: Tensor): Tensor;
}

/** A layer as it was pretrained. */
export const noSites: LayerSites = {
  projected: (_site, _input, output) => output,
  adapted: (_layer, state) => state,
};

/** All of them, one after another. */
export function joinedSites(all: readonly LayerSites[]): LayerSites {
  return {
    projected: (site, input, output) =>
      all.reduce((adapted, sites) => sites.projected(site, input, adapted), output),
    adapted: (layer, state) => all.reduce((adapted, sites) => sites.adapted(layer, adapted), state),
  };
}
