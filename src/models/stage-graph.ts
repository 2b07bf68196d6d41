/** A run of an encoder's layers as a graph of its own: one stage of a pipeline. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { l2Normalize } from "../tensor/operators/neural.ts";
import { reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";
import type { AdapterForm } from "./adapter-kind.ts";
import { pooledSites } from "./adapters/adapters.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { upperPart } from "./encoder.ts";
import { pool, pooledHead } from "./head.ts";
import { shallowState } from "./shallow-state.ts";

/** Layers from … until - 1. */
export interface LayerSpan {
  readonly from: number;
  readonly until: number;
}

export interface Stage extends LayerSpan {
  /** Those that sequences may bring to the whole encoder. */
  readonly adapters: readonly AdapterForm[];
}

/**
 * Stages one after the other compute what `servingGraph` does. The first takes `ids`, the others
 * `states [batch, sequence, hidden]`, all of them `lengths` and what adapters have in their own
 * layers; the last one answers as `servingGraph` does, the others with `state` for the next one.
 */
export function stageGraph(config: EncoderConfig, precision: Precision, stage: Stage): Graph {
  const graph = new Graph();
  const { from, until } = stage;
  const { layerCount, hiddenSize } = config;
  const between = { ...config, shallowLayerCount: from, layerCount: until };
  const [batch, sequence] = ["batch", "sequence"];
  const adapters = stage.adapters.flatMap(({ kind, layers }) => {
    const own = layers.filter((layer) => layer >= from && layer < until);
    return own.length === 0 ? [] : [{ kind, layers: own }];
  });
  const sites = pooledSites(graph, config, { adapters, batch, sequence });
  const scope: EncoderScope = { graph, precision, isDifferentiated: false, config: between, sites };
  // From no layers, or from the stage before.
  const entered = shallowState(scope, from === 0 ? "ids" : "states");
  const state = upperPart(scope, { ...entered, sequence });
  if (until < layerCount) {
    graph.output("state", reshape(state, [batch, sequence, hiddenSize]));
    return graph;
  }
  const isCls = graph.input("isCls", "bool", [batch]);
  const pooled = pool({ state, lengths: entered.lengths, sequence, isCls });
  graph.output("probabilities", pooledHead(graph, pooled));
  graph.output("embeddings", l2Normalize(pooled));
  return graph;
}
