import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { embedInputSchema, textInputSchema } from "./inputs.ts";

/** Whoever takes inputs behind the contract relies on this, and asks none of it again. */
describe("inputs past a limit", () => {
  const refused: readonly (readonly [what: string, input: unknown, place: readonly number[]])[] = [
    ["no text", [], []],
    ["an empty text", ["a", ""], [1]],
    ["an empty text alone", "", []],
    ["too many texts", Array.from({ length: 2_049 }, () => "a"), []],
    ["too long a text", ["a", "x".repeat(1_000_001)], [1]],
    ["too much in all", Array.from({ length: 3 }, () => "x".repeat(900_000)), []],
    ["texts and ids", ["a", [1]], [1]],
    ["an empty list of ids", [[1], []], [1]],
    ["too many ids", Array.from({ length: 300_001 }, () => 1), []],
    ["too many ids in all", [1, 2].map(() => Array.from({ length: 150_001 }, () => 1)), []],
    ["a negative id", [[2, -1, 3]], [0, 1]],
    ["a broken id", [[2, 1.5, 3]], [0, 1]],
    ["an id that is none", [[2, "3"]], [0, 1]],
    ["ids and a text", [[2], "a"], [1]],
  ];
  for (const [what, input, place] of refused)
    it(`are refused with their place: ${what}`, () => {
      const { success, error } = embedInputSchema.safeParse(input);
      assert.equal(success, false);
      assert.deepEqual(error?.issues[0]?.path, place);
    });

  it("are taken up to it", () => {
    const most = Array.from({ length: 2_048 }, () => "a");
    for (const input of ["a", most, ["x".repeat(1_000_000), "y".repeat(1_000_000)]])
      for (const schema of [embedInputSchema, textInputSchema])
        assert.deepEqual(schema.parse(input), input);
    for (const input of [[1], [[1], [0, 2]]]) {
      assert.deepEqual(embedInputSchema.parse(input), input);
      assert.equal(textInputSchema.safeParse(input).success, false);
    }
  });
});
