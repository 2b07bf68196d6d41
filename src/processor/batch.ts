/** A batch of sequences as the feeds of the serving graph. */
import type { EncoderConfig, Pooling } from "../entities/base-model.ts";
import type { Feeds } from "../runtime/runtime.ts";
import { weightFeeds, type WeightPlace, type WeightRow } from "./weight-feeds.ts";

/** What the engine needs to know of a sequence to run it. */
export interface BatchRow extends WeightRow {
  readonly ids: Int32Array;
  readonly pooling: Pooling;
}

/** Feeds for the rows, padded to the longest; weights are gathered from the pool by the worker. */
export function batchFeeds(
  config: EncoderConfig,
  rows: readonly BatchRow[],
  place: WeightPlace,
): Feeds {
  const batch = rows.length;
  // At least two: a product of one row adds up in another order than the same row among others.
  const sequence = rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 2);
  const ids = new Int32Array(batch * sequence);
  const lengths = new BigInt64Array(batch);
  const isCls = new Uint8Array(batch);
  const outputCounts = new BigInt64Array(batch);
  for (const [index, row] of rows.entries()) {
    ids.set(row.ids, index * sequence);
    lengths[index] = BigInt(row.ids.length);
    isCls[index] = row.pooling === "cls" ? 1 : 0;
    outputCounts[index] = BigInt(row.outputCount);
  }
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    lengths: { kind: "value", type: "int64", shape: [batch], values: lengths },
    isCls: { kind: "value", type: "bool", shape: [batch], values: isCls },
    outputCounts: { kind: "value", type: "int64", shape: [batch], values: outputCounts },
    ...weightFeeds(config, rows, place),
  };
}
