import assert from "node:assert/strict";
import { test } from "node:test";
import { buildTable, type LookupTable } from "../src/knowledge/lookup-table.ts";
import { ngramsInOrder } from "../src/knowledge/ngram-map.ts";
import { readRow } from "../src/knowledge/exam-rows.ts";
import type { RowPrecision } from "../src/knowledge/table-rows.ts";
import { parentDistances, pruneTable } from "./prune.ts";

/** Rows of hidden size 1, given by n-gram. */
function tableOf(
  rows: readonly (readonly [readonly number[], readonly number[]])[],
  precision: RowPrecision = "fp16",
): Promise<LookupTable> {
  return buildTable(Int32Array.from(rows.flatMap(([ngram]) => ngram)), {
    shape: { precision, hiddenSize: 1 },
    encoder: async () => Float32Array.from(rows.flatMap(([, values]) => values)),
  });
}

function valuesOf({ map, rows }: LookupTable): readonly (readonly number[])[] {
  return Array.from({ length: map.size }, (_, index) => {
    const values = new Float32Array(3);
    readRow(rows, index + 1, values);
    return [...values];
  });
}

const general = [
  [
    [0, 1, 2],
    [1, 1, 1],
  ],
  [
    [1, 2, 3],
    [2, 2, 2],
  ],
] as const; // as n-gram and values

for (const precision of ["fp16", "int8"] as const)
  test(`an entry within the tolerance of its parent's is pruned, in ${precision}`, async () => {
    const root = await tableOf(general, precision);
    const domain = await tableOf(
      [
        // Differs by (0, 0.75, 0.75) on average 0.5; by 1; and has no parent's entry.
        [
          [0, 1, 2],
          [1, 0.25, 1.75],
        ],
        [
          [1, 2, 3],
          [1, 3, 1],
        ],
        [
          [2, 3, 0],
          [0, 0, 0],
        ],
      ],
      precision,
    );
    const distances = [...parentDistances(domain, [root])];
    // Scales of int8 are rounded.
    assert.deepEqual(
      distances.map((value) => Math.round(value * 1000) / 1000),
      [0.5, 1, Infinity],
    );
    const pruned = pruneTable(domain, [root], 0.5);
    assert.deepEqual([...ngramsInOrder(pruned.map)], [1, 2, 3, 2, 3, 0]);
    assert.deepEqual(valuesOf(pruned), valuesOf(domain).slice(1));
    assert.equal(pruneTable(domain, [root], 0.49).map.size, 3);
    assert.equal(pruneTable(domain, [root], 1).map.size, 1);
  });

test("an entry is compared to the nearest parent that has it", async () => {
  const root = await tableOf(general);
  const parent = await tableOf([
    [
      [0, 1, 2],
      [5, 5, 5],
    ],
  ]);
  const child = await tableOf([
    [
      [0, 1, 2],
      [1, 1, 1],
    ],
    [
      [1, 2, 3],
      [2, 2, 2],
    ],
  ]);
  const pruned = pruneTable(child, [parent, root], 0);
  assert.deepEqual([...ngramsInOrder(pruned.map)], [0, 1, 2]);
});
