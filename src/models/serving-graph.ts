/** The graph that answers requests: any vPLMs of one base, mixed in one batch. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { l2Normalize } from "../tensor/operators/neural.ts";
import { reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";
import { pooledAdapter } from "./adapter.ts";
import { type EncoderScope, sequenceInputs, shallowPart, upperPart } from "./encoder.ts";
import { pool, pooledHead } from "./head.ts";

/**
 * Inputs: `ids`, `lengths`, `isCls`, the adapters' and heads' weights with a leading `[batch]`, and
 * `labelCounts`. Outputs: `probabilities [batch, labels]` and `embeddings [batch, hidden]`, which
 * are L2-normalised. `hasAdapters: false` leaves the adapters out, for the comparison.
 */
export function servingGraph(
  config: EncoderConfig,
  precision: Precision,
  hasAdapters = true,
): Graph {
  const graph = new Graph();
  const scope: EncoderScope = { graph, config, precision, isDifferentiated: false };
  const inputs = sequenceInputs(graph);
  const isCls = graph.input("isCls", "bool", ["batch"]);
  const { lengths } = inputs;
  const sequence = "sequence";
  const adapter = hasAdapters ? pooledAdapter(graph, config, ["batch", sequence]) : undefined;
  const shallow = shallowPart(scope, inputs);
  const state = upperPart(scope, { state: shallow, lengths, sequence }, adapter);
  const pooled = pool({ state, lengths, sequence, isCls });
  graph.output("probabilities", pooledHead(graph, pooled));
  graph.output("embeddings", l2Normalize(pooled));
  return graph;
}

/**
 * The shallow part alone: `ids`, `lengths` to `state [batch, sequence, hidden]`, which does not
 * depend on the vPLM and is kept during training.
 */
export function shallowGraph(config: EncoderConfig, precision: Precision): Graph {
  const graph = new Graph();
  const scope: EncoderScope = { graph, config, precision, isDifferentiated: false };
  const state = shallowPart(scope, sequenceInputs(graph));
  graph.output("state", reshape(state, ["batch", "sequence", config.hiddenSize]));
  return graph;
}
