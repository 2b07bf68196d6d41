/** A batch of sequences as the feeds of the serving graphs of a dense base. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Feeds } from "../runtime/runtime.ts";
import type { BatchRow } from "./lane.ts";
import { weightFeeds, type WeightPlace } from "./weight-feeds.ts";

/** Tokens and weights: rows are padded to the longest, weights gathered by the worker. */
export function denseFeeds(
  config: EncoderConfig,
  rows: readonly BatchRow[],
  place: WeightPlace,
): Feeds {
  const batch = rows.length;
  // At least two: a product of one row adds up in another order than the same row among others.
  const sequence = rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 2);
  const ids = new Int32Array(batch * sequence);
  const lengths = new BigInt64Array(batch);
  const outputCounts = new BigInt64Array(batch);
  for (const [index, row] of rows.entries()) {
    ids.set(row.ids, index * sequence);
    lengths[index] = BigInt(row.ids.length);
    outputCounts[index] = BigInt(row.outputCount);
  }
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    lengths: { kind: "value", type: "int64", shape: [batch], values: lengths },
    outputCounts: { kind: "value", type: "int64", shape: [batch], values: outputCounts },
    ...weightFeeds(config, rows, place),
  };
}

/** How each row's states become one vector, for graphs of whole texts. */
export function poolingFeeds(rows: readonly BatchRow[]): Feeds {
  const isCls = Uint8Array.from(rows, ({ pooling }) => (pooling === "cls" ? 1 : 0));
  return { isCls: { kind: "value", type: "bool", shape: [rows.length], values: isCls } };
}

/** All that a serving graph of whole texts is fed. */
export function textFeeds(
  config: EncoderConfig,
  rows: readonly BatchRow[],
  place: WeightPlace,
): Feeds {
  return { ...denseFeeds(config, rows, place), ...poolingFeeds(rows) };
}
