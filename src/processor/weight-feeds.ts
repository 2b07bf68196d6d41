/** The weights that the rows of a batch bring, gathered from the pool's memory by the worker. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import { adapterKinds, upperForm } from "../models/adapters/adapters.ts";
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

/**
 * Feeds for the adapters that the graph takes, and for heads: ranks and label counts are padded
 * with zeros, to what the batch's highest need.
 */
export function weightFeeds(
  config: EncoderConfig,
  rows: readonly WeightRow[],
  { memory, adapters = [upperForm(config)] }: WeightPlace,
): Record<string, GatheredValue> {
  const labelCount = rows.reduce((highest, row) => Math.max(highest, row.labelCount), 1);
  const feeds: Record<string, GatheredValue> = {};
  for (const { name, shape } of [
    ...adapters.flatMap(({ kind, layers }) =>
      adapterKinds[kind].pooledTensors(config, { layers, rank: highestRank(rows, kind) }),
    ),
    ...headTensors(config, labelCount),
  ])
    feeds[name] = gathered(name, [rows.length, ...shape], { rows, memory });
  return feeds;
}

export interface WeightPlace {
  /** The pool's. */
  readonly memory: Float32Array;
  /** As the serving graph was given them. */
  readonly adapters?: readonly AdapterForm[] | undefined;
}

function highestRank(rows: readonly WeightRow[], kind: AdapterForm["kind"]): number {
  const ranks = rows.map(({ adapter }) => (adapter?.kind === kind ? adapter.rank : 0));
  return Math.max(0, ...ranks);
}

/** Each row's tensor of this name; zeros for a row that has none. */
function gathered(
  name: string,
  shape: readonly number[],
  { rows, memory }: { readonly rows: readonly WeightRow[]; readonly memory: Float32Array },
): GatheredValue {
  const offsets = new Uint32Array(rows.length);
  const lengths = new Uint32Array(rows.length);
  for (const [index, { resident }] of rows.entries()) {
    const span = resident?.get(name);
    offsets[index] = span?.offset ?? 0;
    lengths[index] = span?.length ?? 0;
  }
  return { kind: "gathered", type: "float32", shape, pool: memory, offsets, lengths };
}
