/** Reads rows of lookup tables back, which the product only sums up. */
import { halfValues } from "../foundation/half.ts";
import { placeOf, type TableRows } from "./table-rows.ts";

/** The row's values `[3, hidden]`, into `values`. */
export function readRow(rows: TableRows, row: number, values: Float32Array): void {
  const { precision, hiddenSize, scales } = rows;
  const { block, offset } = placeOf(rows, row);
  for (let index = 0; index < 3 * hiddenSize; index++) {
    const element = block[offset + index] ?? 0;
    const scale = scales[3 * row + Math.floor(index / hiddenSize)] ?? 1;
    values[index] = precision === "fp16" ? (halfValues[element] ?? 0) : scale * element;
  }
}
