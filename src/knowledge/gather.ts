/**
 * Rows become token states. The token x_i stands in three n-grams, so that its state is R_(i-1) +
 * M_i + L_(i+1); what lies outside the sequence adds nothing. Positions, segments and LayerNorm
 * come after it, in the graph. Sums are made in float64 and rounded once: a state depends on its
 * three rows alone. Source: SkipBERT (Wang et al., ACL 2022).
 */
import { assert, present } from "../foundation/assert.ts";
import { halfValues } from "../foundation/half.ts";
import type { Lookup } from "./knowledge.ts";
import { placeOf, type RowBlock, type TableRows } from "./table-rows.ts";

/**
 * Writes the state of each position to `states` `[positions, hidden]`; those outside all sequences
 * stay as they are. `tables` are the rows that the look-up's table numbers stand for: those of the
 * knowledge and, if there were misses, what `computedRows` makes of their states.
 */
export function gatherStates(
  tables: readonly TableRows[],
  lookup: Lookup,
  states: Float32Array,
): void {
  const first = present(tables[0], "A look-up asks at least one table");
  const { precision, hiddenSize } = first;
  assert(
    tables.every((rows) => rows.precision === precision && rows.hiddenSize === hiddenSize),
    "The tables of one look-up are alike",
  );
  const add = precision === "fp16" ? addHalves : addBytes;
  const outside: Part = { ...placeOf(first, 0), scale: 0 };
  const partAt = (position: number, slot: number): Part => {
    const rows = present(tables[lookup.tables[position] ?? 0], "A row lies in one of the tables");
    const row = lookup.rows[position] ?? 0;
    const { block, offset } = placeOf(rows, row);
    return { block, offset: offset + slot * hiddenSize, scale: rows.scales[3 * row + slot] ?? 1 };
  };
  for (const { start, length } of lookup.spans)
    for (let at = start; at < start + length; at++) {
      const right = at === start ? outside : partAt(at - 1, 2);
      const left = at === start + length - 1 ? outside : partAt(at + 1, 0);
      add([right, partAt(at, 1), left], states, { start: at * hiddenSize, hiddenSize });
    }
}

/** One slot of a row: `hidden` elements. */
interface Part {
  readonly block: RowBlock;
  readonly offset: number;
  /** What an element in int8 is multiplied by. */
  readonly scale: number;
}

interface StateSpan {
  readonly start: number;
  readonly hiddenSize: number;
}

// Two loops, not one: each sees arrays of one type, which makes it two to three times as fast.

function addHalves(
  [a, b, c]: readonly [Part, Part, Part],
  states: Float32Array,
  { start, hiddenSize }: StateSpan,
): void {
  const { block: blockA, offset: offsetA } = a;
  const { block: blockB, offset: offsetB } = b;
  const { block: blockC, offset: offsetC } = c;
  for (let index = 0; index < hiddenSize; index++)
    states[start + index] =
      (halfValues[blockA[offsetA + index] ?? 0] ?? 0) +
      (halfValues[blockB[offsetB + index] ?? 0] ?? 0) +
      (halfValues[blockC[offsetC + index] ?? 0] ?? 0);
}

function addBytes(
  [a, b, c]: readonly [Part, Part, Part],
  states: Float32Array,
  { start, hiddenSize }: StateSpan,
): void {
  const { block: blockA, offset: offsetA, scale: scaleA } = a;
  const { block: blockB, offset: offsetB, scale: scaleB } = b;
  const { block: blockC, offset: offsetC, scale: scaleC } = c;
  for (let index = 0; index < hiddenSize; index++)
    states[start + index] =
      scaleA * (blockA[offsetA + index] ?? 0) +
      scaleB * (blockB[offsetB + index] ?? 0) +
      scaleC * (blockC[offsetC + index] ?? 0);
}
