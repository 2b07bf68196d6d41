/** Tags of every scheme mean what their authors mean; expectations are written by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { spansOf } from "./tags.ts";

const cases: readonly (readonly [scheme: string, tags: string, spans: string])[] = [
  ["BIO", "B-P I-P B-P O B-Q I-Q", "0-2 P, 2-3 P, 4-6 Q"],
  ["IOB1, where B parts neighbours of one type only", "I-P I-P B-P O I-Q", "0-2 P, 2-3 P, 4-5 Q"],
  ["IO", "I-P I-P O I-P I-Q", "0-2 P, 3-4 P, 4-5 Q"],
  ["IOE", "I-P E-P E-P O", "0-2 P, 2-3 P"],
  ["BIOES", "B-P I-P E-P S-P S-P O B-Q E-Q", "0-3 P, 3-4 P, 4-5 P, 6-8 Q"],
  ["BILOU", "B-P L-P U-P O U-Q", "0-2 P, 2-3 P, 4-5 Q"],
  ["BMES", "B-P M-P E-P S-Q", "0-3 P, 3-4 Q"],
  ["types by themselves", "P P O P Q", "0-2 P, 3-4 P, 4-5 Q"],
  ["types with dashes", "B-cell-line I-cell-line O cell-line", "0-2 cell-line, 3-4 cell-line"],
  ["an inside that begins", "O I-P I-Q", "1-2 P, 2-3 Q"],
  ["nothing", "O O", ""],
];

for (const [scheme, tags, spans] of cases)
  test(`reads ${scheme}`, () => {
    const found = spansOf(tags.split(" "));
    assert.equal(found.map(({ start, end, type }) => `${start}-${end} ${type}`).join(", "), spans);
  });
