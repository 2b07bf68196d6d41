/** The weights that the rows of a batch bring, gathered from the pool's memory by the worker. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import { pooledAdapterTensors } from "../models/adapter.ts";
import { headTensors } from "../models/head.ts";
import type { GatheredValue } from "../runtime/runtime.ts";
import type { Resident } from "./adapter-pool.ts";

/** What a sequence's weights are, and where they lie. */
export interface WeightRow {
  /** Undefined without an adapter. */
  readonly adapter: AdapterSpecification | undefined;
  /** 0 without a head. */
  readonly labelCount: number;
  /** Absent for a bare base model. */
  readonly resident: Resident | undefined;
}

/** Ranks and label counts are padded with zeros, to what the batch's highest need. */
export function weightFeeds(
  config: EncoderConfig,
  rows: readonly WeightRow[],
  memory: Float32Array,
): Record<string, GatheredValue> {
  const rank = rows.reduce((highest, row) => Math.max(highest, row.adapter?.rank ?? 0), 0);
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
