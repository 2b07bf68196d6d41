/** The graph that answers requests: any vPLMs of one base, mixed in one batch. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { l2Normalize } from "../tensor/operators/neural.ts";
import { reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";
import type { AdapterForm } from "./adapter-kind.ts";
import { pooledSites } from "./adapters/adapters.ts";
import type { EncoderScope } from "./encoder-scope.ts";
import { sequenceInputs, shallowPart, upperPart } from "./encoder.ts";
import { pool, pooledHead, pooledTokenHead } from "./head.ts";
import { shallowState, type StateSource } from "./shallow-state.ts";
import type { TaskUnit } from "./task-graph.ts";

export interface ServingGraphOptions {
  /** Those that sequences may bring. */
  readonly adapters: readonly AdapterForm[];
  /** "ids" when absent. */
  readonly source?: StateSource;
  /** What gets a label: a sequence, which is assumed when absent, or each of its tokens. */
  readonly task?: TaskUnit;
}

/**
 * Inputs: the source's, `lengths`, the adapters' and heads' weights with a leading `[batch]`, and
 * `outputCounts`. For sequences there is an input `isCls`, and outputs are `probabilities
 * [batch, outputs]` and `embeddings [batch, hidden]`, which are L2-normalised; for tokens the
 * output is `probabilities [batch, sequence, outputs]`, of which rows at and after a length mean
 * nothing.
 */
export function servingGraph(
  config: EncoderConfig,
  precision: Precision,
  options: ServingGraphOptions,
): Graph {
  const { adapters, source = "ids", task = "sequence" } = options;
  const graph = new Graph();
  const sequence = "sequence";
  const sites = pooledSites(graph, config, { adapters, batch: "batch", sequence });
  const scope: EncoderScope = { graph, config, precision, isDifferentiated: false, sites };
  const { state: shallow, lengths } = shallowState(scope, source);
  const state = upperPart(scope, { state: shallow, lengths, sequence });
  if (task === "token") {
    const rows = reshape(state, ["batch", sequence, config.hiddenSize]);
    graph.output("probabilities", pooledTokenHead(graph, rows));
    return graph;
  }
  const isCls = graph.input("isCls", "bool", ["batch"]);
  const pooled = pool({ state, lengths, sequence, isCls });
  graph.output("probabilities", pooledHead(graph, pooled));
  graph.output("embeddings", l2Normalize(pooled));
  return graph;
}

/**
 * The shallow part alone, without adapters: `ids`, `lengths` to `state [batch, sequence, hidden]`,
 * which does not depend on the vPLM and is kept during training.
 */
export function shallowGraph(config: EncoderConfig, precision: Precision): Graph {
  const graph = new Graph();
  const scope: EncoderScope = { graph, config, precision, isDifferentiated: false };
  const state = shallowPart(scope, sequenceInputs(graph));
  graph.output("state", reshape(state, ["batch", "sequence", config.hiddenSize]));
  return graph;
}
