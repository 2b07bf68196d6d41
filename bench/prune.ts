/** Pruning of a domain's table: what its parents say nearly as well is not kept twice. */
import { readRow } from "../src/knowledge/exam-rows.ts";
import type { LookupTable } from "../src/knowledge/lookup-table.ts";
import { ngramsInOrder, numberNgrams, packNgram } from "../src/knowledge/ngram-map.ts";
import { allocateRows, placeOf, type TableRows } from "../src/knowledge/table-rows.ts";

interface RowInTable {
  readonly rows: TableRows;
  readonly row: number;
}

/**
 * Each row of the domain's table, from the first on, gets the mean absolute difference to the row
 * of the nearest parent that holds the n-gram, or Infinity where none does. `parents` are of the
 * same shape, the nearest first.
 */
export function parentDistances(
  table: LookupTable,
  parents: readonly LookupTable[],
): Float64Array<ArrayBuffer> {
  const ngrams = ngramsInOrder(table.map);
  const own = new Float32Array(3 * table.rows.hiddenSize);
  const inherited = own.slice();
  return Float64Array.from({ length: table.map.size }, (_, index) => {
    const { high, low } = packNgram(ngrams, 3 * index);
    const parent = parents.find(({ map }) => map.get(high, low) > 0);
    if (parent === undefined) return Infinity;
    readRow(table.rows, index + 1, own);
    readRow(parent.rows, parent.map.get(high, low), inherited);
    return meanAbsoluteDifference(own, inherited);
  });
}

/**
 * The domain's table without those rows whose distance to their parent's, see `parentDistances`,
 * is at most `tolerance`, which HMI calls tau.
 */
export function pruneTable(
  table: LookupTable,
  parents: readonly LookupTable[],
  tolerance: number,
): LookupTable {
  const kept: number[] = [];
  for (const [index, distance] of parentDistances(table, parents).entries())
    if (distance > tolerance) kept.push(index + 1);
  return selectRows(table, kept);
}

function selectRows(table: LookupTable, kept: readonly number[]): LookupTable {
  const ngrams = ngramsInOrder(table.map);
  const keptNgrams = new Int32Array(3 * kept.length);
  const rows = allocateRows(table.rows, 1 + kept.length);
  for (const [index, row] of kept.entries()) {
    keptNgrams.set(ngrams.subarray(3 * (row - 1), 3 * row), 3 * index);
    copyRow({ rows: table.rows, row }, { rows, row: index + 1 });
  }
  return { map: numberNgrams(keptNgrams), rows };
}

function meanAbsoluteDifference(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += Math.abs((a[index] ?? 0) - (b[index] ?? 0));
  return sum / a.length;
}

/** Copies a row of another table of the same shape, bit by bit. */
function copyRow(from: RowInTable, to: RowInTable): void {
  const { hiddenSize } = from.rows;
  const [source, target] = [placeOf(from.rows, from.row), placeOf(to.rows, to.row)];
  const elements = source.block.subarray(source.offset, source.offset + 3 * hiddenSize);
  target.block.set(elements, target.offset);
  const scales = from.rows.scales.subarray(3 * from.row, 3 * from.row + 3);
  if (scales.length > 0) to.rows.scales.set(scales, 3 * to.row);
}
