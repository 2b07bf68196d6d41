/**
 * The rows of a lookup table: per n-gram the gated states of its three slots `[3, hidden]`: left,
 * middle, right. They lie in blocks of shared memory, because one typed array ends at 2^32 elements
 * and its indexes are slow past 2^31. Row 0 is all zeros. A row is written once, before it is read.
 */
import { present } from "../foundation/assert.ts";
import { writeHalves } from "../foundation/half.ts";

/** fp16, or int8 with a float32 scale per slot of a row. */
export type RowPrecision = "fp16" | "int8";

export interface RowShape {
  readonly precision: RowPrecision;
  readonly hiddenSize: number;
}

/** A plain value over shared memory: another thread gets it by message, without a copy. */
export interface TableRows extends RowShape {
  readonly rowCount: number;
  readonly blocks: readonly RowBlock[];
  /** `[rows, 3]`; empty in fp16, where every scale is 1. */
  readonly scales: Float32Array;
}

/** Elements of rows: Uint16Array in fp16, Int8Array in int8. */
export type RowBlock = Uint16Array | Int8Array;

/** The place of a row. */
export interface RowPlace {
  readonly block: RowBlock;
  readonly offset: number;
}

const blockShift = 14;
const blockRowCount = 1 << blockShift;

const byteMax = 127;

/** Rows of zeros. */
export function allocateRows({ precision, hiddenSize }: RowShape, rowCount: number): TableRows {
  const isHalf = precision === "fp16";
  const blocks: RowBlock[] = [];
  for (let first = 0; first < rowCount; first += blockRowCount) {
    const length = Math.min(blockRowCount, rowCount - first) * 3 * hiddenSize;
    const memory = new SharedArrayBuffer(isHalf ? 2 * length : length);
    blocks.push(isHalf ? new Uint16Array(memory) : new Int8Array(memory));
  }
  const scales = new Float32Array(new SharedArrayBuffer(isHalf ? 0 : 4 * 3 * rowCount));
  return { precision, hiddenSize, rowCount, blocks, scales };
}

/** The rows of n-grams that were computed for one batch: row n + 1 is `values[n]`. */
export function computedRows(shape: RowShape, values: Float32Array): TableRows {
  const rows = allocateRows(shape, 1 + values.length / (3 * shape.hiddenSize));
  writeRows(rows, 1, values);
  return rows;
}

/** Writes `values` `[count, 3, hidden]` to the rows from `first` on, in their precision. */
export function writeRows(rows: TableRows, first: number, values: Float32Array): void {
  const { hiddenSize, scales } = rows;
  for (let at = 0, row = first; at < values.length; at += 3 * hiddenSize, row++) {
    const { block, offset } = placeOf(rows, row);
    const elements = block.subarray(offset, offset + 3 * hiddenSize);
    const source = values.subarray(at, at + 3 * hiddenSize);
    if (elements instanceof Uint16Array) writeHalves(source, elements);
    else
      for (let slot = 0; slot < 3; slot++) {
        const [start, end] = [slot * hiddenSize, (slot + 1) * hiddenSize];
        const target = elements.subarray(start, end);
        scales[3 * row + slot] = writeBytes(source.subarray(start, end), target);
      }
  }
}

export function placeOf({ blocks, hiddenSize }: TableRows, row: number): RowPlace {
  const block = present(blocks[row >> blockShift], "A row lies in its table");
  return { block, offset: (row & (blockRowCount - 1)) * 3 * hiddenSize };
}

export function rowsBytes({ blocks, scales }: TableRows): number {
  return blocks.reduce((sum, block) => sum + block.byteLength, scales.byteLength);
}

/** Returns the scale. */
function writeBytes(values: Float32Array, bytes: Int8Array): number {
  let largest = 0;
  for (let index = 0; index < values.length; index++)
    largest = Math.max(largest, Math.abs(values[index] ?? 0));
  const scale = Math.fround(largest / byteMax);
  if (scale > 0)
    // Rounds as Math.round, several times as fast: what is cut off is positive.
    for (let index = 0; index < bytes.length; index++)
      bytes[index] = (((values[index] ?? 0) / scale + byteMax + 1.5) | 0) - byteMax - 1;
  return scale;
}
