/** Checks the batches: each sequence once, like lengths together, the same at pace as at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Pace } from "../foundation/pace.ts";
import { SeededRandom } from "../foundation/random.ts";
import { shuffledBatches, shuffledBatchesAtPace, sortedBatches } from "./sequences.ts";

const idsArbitrary = fc
  .array(fc.integer({ min: 1, max: 40 }), { maxLength: 200 })
  .map((lengths) => lengths.map((length) => new Int32Array(length)));
const shape = { sequencesMax: 4, tokensMax: 60 };

test("batches hold each sequence once, in their shape, the same at pace as at once", async () => {
  await fc.assert(
    fc.asyncProperty(idsArbitrary, fc.nat(), async (ids, seed) => {
      const batches = shuffledBatches({ ids }, shape, new SeededRandom(seed));
      const options = { random: new SeededRandom(seed), pace: new Pace() };
      assert.deepEqual(await shuffledBatchesAtPace({ ids }, shape, options), batches);
      const lengthOf = (index: number): number => ids[index]?.length ?? 0;
      for (const batch of [...batches, ...sortedBatches(ids, shape)]) {
        assert.ok(batch.length <= shape.sequencesMax);
        const longest = Math.max(...batch.map(lengthOf));
        assert.ok(longest * batch.length <= shape.tokensMax || batch.length === 1);
      }
      const all = batches.flat().toSorted((a, b) => a - b);
      assert.deepEqual(all, [...ids.keys()]);
      const sorted = sortedBatches(ids, shape).flat().map(lengthOf);
      assert.deepEqual(
        sorted,
        sorted.toSorted((a, b) => a - b),
      );
    }),
  );
});
