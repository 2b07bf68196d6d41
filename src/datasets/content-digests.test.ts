/** Checks choices among contents against a plain sort. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Pace } from "../foundation/pace.ts";
import { lowestOf } from "./content-digests.ts";

test("the lowest digests are those that a sort would give, by number or by tokens", async () => {
  const digests = fc
    .array(fc.nat(2_000), { maxLength: 60 })
    .map((steps) => Float64Array.from(steps, (step) => step * 1e11));
  await fc.assert(
    fc.asyncProperty(digests, fc.nat(70), fc.nat(200), async (all, countMax, tokensMax) => {
      const ids = Array.from(all, (_, index) => new Int32Array(1 + (index % 5)));
      const found = await lowestOf({ digests: all, ids }, { countMax, tokensMax }, new Pace());
      const sorted = [...all.keys()].toSorted((a, b) => (all[a] ?? 0) - (all[b] ?? 0));
      const expected: number[] = [];
      let tokenCount = 0;
      for (const index of sorted) {
        tokenCount += ids[index]?.length ?? 0;
        const isFull = expected.length >= countMax || tokenCount > tokensMax;
        if (isFull && expected.length > 0) break;
        expected.push(index);
      }
      assert.deepEqual(new Set(found), new Set(expected));
    }),
  );
});
