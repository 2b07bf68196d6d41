/** The weights that the rows of a batch bring, gathered from the pool's memory by the worker. */
import type { AdapterKindName } from "../foundation/kind-names.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { WeightShape } from "../entities/weights.ts";
import { assert, present } from "../foundation/assert.ts";
import type { AdapterForm } from "../models/adapter-kind.ts";
import { adapterKinds, rowsInput } from "../models/adapters/adapters.ts";
import { headTensors } from "../models/head.ts";
import type { Feed, GatheredValue } from "../runtime/runtime.ts";
import type { WeightRow } from "./lane.ts";

/**
 * Feeds for the adapters that the graph takes, and for heads: ranks and label counts are padded
 * with zeros, to what the highest of the batch need.
 */
export function weightFeeds(
  config: EncoderConfig,
  rows: readonly WeightRow[],
  { memory, adapters }: WeightPlace,
): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const { kind, layers } of adapters) {
    const places = ownPlaces(rows, kind);
    const owners = places.map((place) => present(rows[place], "a place in the batch"));
    const [shape, values] = [[places.length], Int32Array.from(places)];
    feeds[rowsInput(kind)] = { kind: "value", type: "int32", shape, values };
    const size = { layers, rank: highestRank(owners, kind) };
    for (const tensor of adapterKinds[kind].pooledTensors(config, size))
      feeds[tensor.name] = gathered(tensor, owners, memory);
  }
  const outputCount = rows.reduce((highest, row) => Math.max(highest, row.outputCount), 1);
  for (const tensor of headTensors(config, outputCount))
    feeds[tensor.name] = gathered(tensor, rows, memory);
  const brought = rows.reduce((sum, { resident }) => sum + (resident?.size ?? 0), 0);
  assert(spanCountOf(feeds) === brought, "All that a sequence's version has learned is computed");
  return feeds;
}

/** How many tensors of rows are gathered. */
function spanCountOf(feeds: Readonly<Record<string, Feed>>): number {
  let count = 0;
  for (const feed of Object.values(feeds))
    if (feed.kind === "gathered") for (const length of feed.lengths) if (length > 0) count += 1;
  return count;
}

export interface WeightPlace {
  /** The pool's. */
  readonly memory: Float32Array;
  /** The adapters that the serving graph was given. */
  readonly adapters: readonly AdapterForm[];
}

/** The rows with adapters of the kind; where there is none the first one, which gets zeros. */
function ownPlaces(rows: readonly WeightRow[], kind: AdapterKindName): readonly number[] {
  const places = [...rows.keys()].filter((place) => rows[place]?.adapter?.kind === kind);
  return places.length === 0 ? [0] : places;
}

function highestRank(rows: readonly WeightRow[], kind: AdapterKindName): number {
  const ranks = rows.map(({ adapter }) => (adapter?.kind === kind ? adapter.rank : 0));
  return Math.max(0, ...ranks);
}

/** Each row's tensor of this name; zeros for a row that has none. */
function gathered(
  { name, shape }: WeightShape,
  rows: readonly WeightRow[],
  memory: Float32Array,
): GatheredValue {
  const offsets = new Uint32Array(rows.length);
  const lengths = new Uint32Array(rows.length);
  for (const [index, { resident }] of rows.entries()) {
    const span = resident?.get(name);
    offsets[index] = span?.offset ?? 0;
    lengths[index] = span?.length ?? 0;
  }
  const full = [rows.length, ...shape];
  return { kind: "gathered", type: "float32", shape: full, pool: memory, offsets, lengths };
}
