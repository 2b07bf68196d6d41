/** A batch of sequences as the feeds of the serving graph. */
import type { EncoderConfig, Pooling } from "../entities/base-model.ts";
import { pooledAdapterTensors } from "../models/adapter.ts";
import { headTensors } from "../models/head.ts";
import type { Feeds, GatheredValue } from "../runtime/runtime.ts";
import type { Resident } from "./adapter-pool.ts";

/** What the engine needs to know of a sequence to run it. */
export interface BatchRow {
  readonly ids: Int32Array;
  readonly pooling: Pooling;
  /** 0 without an adapter. */
  readonly rank: number;
  /** 0 without a head. */
  readonly labelCount: number;
  /** Absent for a bare base model. */
  readonly resident: Resident | undefined;
}

/** Feeds for the rows, padded to the longest; weights are gathered from `memory` by the worker. */
export function batchFeeds(
  config: EncoderConfig,
  rows: readonly BatchRow[],
  memory: Float32Array,
): Feeds {
  const batch = rows.length;
  // At least two: a product of one row adds up in another order than the same row among others.
  const sequence = rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 2);
  const ids = new Int32Array(batch * sequence);
  const lengths = new BigInt64Array(batch);
  const isCls = new Uint8Array(batch);
  const labelCounts = new BigInt64Array(batch);
  for (const [index, row] of rows.entries()) {
    ids.set(row.ids, index * sequence);
    lengths[index] = BigInt(row.ids.length);
    isCls[index] = row.pooling === "cls" ? 1 : 0;
    labelCounts[index] = BigInt(row.labelCount);
  }
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    lengths: { kind: "value", type: "int64", shape: [batch], values: lengths },
    isCls: { kind: "value", type: "bool", shape: [batch], values: isCls },
    labelCounts: { kind: "value", type: "int64", shape: [batch], values: labelCounts },
    ...weightFeeds(config, rows, memory),
  };
}

/** Ranks and label counts are padded with zeros, to what the batch's highest need. */
function weightFeeds(
  config: EncoderConfig,
  rows: readonly BatchRow[],
  memory: Float32Array,
): Record<string, GatheredValue> {
  const rank = rows.reduce((highest, row) => Math.max(highest, row.rank), 0);
  const labelCount = rows.reduce((highest, row) => Math.max(highest, row.labelCount), 1);
  const feeds: Record<string, GatheredValue> = {};
  for (const { name, shape } of [
    ...pooledAdapterTensors(config, rank),
    ...headTensors(config, labelCount),
  ]) {
    const offsets = new Uint32Array(rows.length);
    const lengths = new Uint32Array(rows.length);
    for (const [index, { resident }] of rows.entries()) {
      const span = resident?.get(name);
      offsets[index] = span?.offset ?? 0;
      lengths[index] = span?.length ?? 0;
    }
    const full = [rows.length, ...shape];
    feeds[name] = {
      kind: "gathered",
      type: "float32",
      shape: full,
      pool: memory,
      offsets,
      lengths,
    };
  }
  return feeds;
}
