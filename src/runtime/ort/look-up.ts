/** Rows of tables that all threads share, which a run gets as if they were fed. */
import { StrataError } from "../../foundation/errors.ts";
import type { Lookup } from "../../tensor/onnx/to-onnx.ts";

/** The rows at these places, one after another; INTERNAL for a place outside the table. */
export function lookUp({ table, row }: Lookup, places: Int32Array | BigInt64Array): Float32Array {
  const width = row.reduce((product, size) => product * size, 1);
  const rowCount = table.length / width;
  const rows = new Float32Array(places.length * width);
  let end = 0;
  for (const place of places) {
    const index = Number(place);
    if (!(index >= 0 && index < rowCount))
      throw new StrataError("INTERNAL", `Cannot look up row ${index}: there are ${rowCount}`);
    rows.set(table.subarray(index * width, (index + 1) * width), end);
    end += width;
  }
  return rows;
}
