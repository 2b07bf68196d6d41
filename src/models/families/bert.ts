/** BERT, post-LayerNorm as in the released checkpoints. Source: Devlin et al. 2019. */
import type { Family } from "../family.ts";
import {
  embeddedStates,
  type LayerNames,
  postNormEntries,
  postNormLayer,
  tableEntry,
  usualSizes,
} from "./post-norm.ts";

const layerNames: LayerNames = {
  query: "attention.self.query",
  key: "attention.self.key",
  value: "attention.self.value",
  attention: "attention.output.dense",
  "attention.norm": "attention.output.LayerNorm",
  inner: "intermediate.dense",
  outer: "output.dense",
  "outer.norm": "output.LayerNorm",
};

export const bert: Family = {
  name: "bert",
  checkpoint: {
    prefix: "bert.",
    sizes: usualSizes,
    fixedFields: { hidden_act: "gelu", position_embedding_type: "absolute", is_decoder: false },
    unusedPositionCount: 0,
    tensors(config) {
      const { hiddenSize: hidden, positionCount, segmentCount } = config;
      const [position, segment] = ["position", "token_type"].map(
        (part) => `embeddings.${part}_embeddings.weight`,
      ) as [string, string]; // one name for each
      return postNormEntries(config, layerNames, [
        tableEntry(position, "embeddings.position", [positionCount, hidden]),
        { ...tableEntry(segment, "embeddings.segment", [segmentCount, hidden]), rows: [0, 1] },
      ]);
    },
  },
  specialTokens: {
    padding: "[PAD]",
    unknown: "[UNK]",
    first: "[CLS]",
    last: "[SEP]",
    mask: "[MASK]",
  },
  hasHierarchicalForm: true,
  // Strata encodes single texts: every token is of segment 0.
  embeddings: (scope, ids) => embeddedStates(scope, ids, ["embeddings.segment"]),
  layer: (scope, inputs) => postNormLayer(scope, inputs),
};
