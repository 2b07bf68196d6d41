/**
 * A lookup table: rows of precomputed n-gram states, and the map that finds an n-gram's row. HMI
 * calls it PLOT. Rows keep the order in which n-grams were given, most frequent first, so that hot
 * ones lie together. A table does not change once it is made.
 */
import { assert } from "../foundation/assert.ts";
import { limits } from "../foundation/limits.ts";
import type { NgramEncoder } from "./knowledge.ts";
import { type NgramMap, numberNgrams } from "./ngram-map.ts";
import { allocateRows, type RowShape, type TableRows, writeRows } from "./table-rows.ts";

export interface LookupTable {
  /** The row of each n-gram, from 1 on. */
  readonly map: NgramMap;
  readonly rows: TableRows;
}

export interface BuildOptions {
  readonly shape: RowShape;
  readonly encoder: NgramEncoder;
  readonly signal?: AbortSignal;
  /** It is told after each batch how many rows are there. */
  readonly onProgress?: (rowCount: number) => void;
}

/** Computes the rows of distinct n-grams `[count, 3]`, batch by batch. */
export async function buildTable(ngrams: Int32Array, options: BuildOptions): Promise<LookupTable> {
  const { shape, encoder, signal, onProgress } = options;
  const map = numberNgrams(ngrams);
  assert(map.size === ngrams.length / 3, "The n-grams of a table are distinct");
  const rows = allocateRows(shape, 1 + map.size);
  for (let first = 0; first < map.size; first += limits.ngramBatchCountMax) {
    signal?.throwIfAborted();
    const batch = ngrams.slice(3 * first, 3 * (first + limits.ngramBatchCountMax));
    const values = await encoder(batch);
    assert(values.length === batch.length * shape.hiddenSize, "Every n-gram has three slots");
    writeRows(rows, 1 + first, values);
    onProgress?.(first + batch.length / 3);
  }
  return { map, rows };
}
