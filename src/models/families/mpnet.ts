/**
 * MPNet: BERT's layers, whose attention also knows how far apart two tokens are. Sources: Song et
 * al. 2020; the buckets of distances are T5's, Raffel et al. 2020.
 */
import type { Dimension } from "../../tensor/dimension.ts";
import { add, cast, max, min, sub } from "../../tensor/operators/elementwise.ts";
import { positions } from "../../tensor/operators/neural.ts";
import { gather, reshape, transpose, zerosOf } from "../../tensor/operators/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type EncoderScope, weight } from "../encoder-scope.ts";
import type { Family } from "../family.ts";
import {
  embeddedStates,
  type LayerNames,
  postNormEntries,
  postNormLayer,
  tableEntry,
  usualSizes,
} from "./post-norm.ts";

/** Half of the buckets are for tokens before, half for those after. */
const bucketCount = 32;
/** All tokens from this distance on share a bucket. */
const distanceMax = 128;

const layerNames: LayerNames = {
  query: "attention.attn.q",
  key: "attention.attn.k",
  value: "attention.attn.v",
  attention: "attention.attn.o",
  "attention.norm": "attention.LayerNorm",
  inner: "intermediate.dense",
  outer: "output.dense",
  "outer.norm": "output.LayerNorm",
};

export const mpnet: Family = {
  name: "mpnet",
  checkpoint: {
    prefix: "mpnet.",
    sizes: { ...usualSizes, segmentCount: 0 },
    // The original computes no others, whatever the configuration says.
    fixedFields: {
      hidden_act: "gelu",
      relative_attention_num_buckets: bucketCount,
      pad_token_id: 1,
    },
    // Places are counted from behind the id of padding.
    unusedPositionCount: 2,
    tensors(config) {
      const { hiddenSize: hidden, headCount, positionCount } = config;
      const rowCount = positionCount + mpnet.checkpoint.unusedPositionCount;
      const source = "embeddings.position_embeddings.weight";
      return postNormEntries(config, layerNames, [
        {
          ...tableEntry(source, "embeddings.position", [rowCount, hidden]),
          rows: [mpnet.checkpoint.unusedPositionCount, rowCount],
        },
        tableEntry("encoder.relative_attention_bias.weight", "embeddings.distance", [
          bucketCount,
          headCount,
        ]),
      ]);
    },
  },
  specialTokens: {
    padding: "<pad>",
    unknown: "[UNK]",
    first: "<s>",
    last: "</s>",
    mask: "<mask>",
  },
  // Its id 0 is what every text begins with, and no padding.
  hasHierarchicalForm: false,
  embeddings: (scope, ids) => embeddedStates(scope, ids),
  layer: (scope, inputs) => postNormLayer(scope, inputs, distanceBias(scope, inputs.sequence)),
};

/**
 * What the distance of two tokens adds to their scores, `[heads, sequence, sequence]`. All layers
 * share it, and since equal nodes are made once, it is computed once per run.
 */
function distanceBias(scope: EncoderScope, sequence: Dimension): Tensor {
  const { graph, config } = scope;
  const table = weight(scope, {
    name: "embeddings.distance",
    role: "table",
    shape: [bucketCount, config.headCount],
  });
  const buckets = Int32Array.from({ length: 2 * distanceMax + 1 }, (_, index) =>
    bucketOf(index - distanceMax),
  );
  const byDistance = gather(table, graph.constant(buckets, [buckets.length]));
  const place = positions(zerosOf(graph, [sequence]), 0);
  const distance = sub(reshape(place, [1, sequence]), reshape(place, [sequence, 1]));
  const limit = graph.scalar(distanceMax);
  const clamped = max(min(distance, limit), graph.scalar(-distanceMax));
  const rows = gather(byDistance, cast(add(clamped, limit), "int32"));
  return transpose(rows, [2, 0, 1]);
}

/**
 * The bucket of a key that stands `distance` behind its query: a bucket for each of the nearest,
 * then ever wider ones, two for each doubling.
 */
export function bucketOf(distance: number): number {
  const half = bucketCount / 2;
  const exact = half / 2;
  const away = Math.abs(distance);
  const widening = (half - exact) / Math.log2(distanceMax / exact);
  const wide = exact + Math.floor(Math.log2(away / exact) * widening);
  return (distance > 0 ? half : 0) + (away < exact ? away : Math.min(wide, half - 1));
}
