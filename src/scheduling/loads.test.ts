import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AwaitedWeights, chooseLoads } from "./loads.ts";

const limits = { countMin: 2, countMax: 5, bytesMax: 100 };

const line = fc.array(
  fc.record({
    bytes: fc.integer({ min: 1, max: 150 }),
    state: fc.constantFrom("absent", "loading", "held"),
  } satisfies Record<keyof AwaitedWeights, unknown>),
);

test("the first in line are loaded whatever their sizes are, and never let go", () => {
  fc.assert(
    fc.property(line, (inLine) => {
      const { begin, letGo } = chooseLoads(inLine, limits);
      for (const first of inLine.slice(0, limits.countMin)) {
        assert.equal(begin.includes(first), first.state === "absent");
        assert.ok(!letGo.includes(first));
      }
    }),
  );
});

test("what is kept is the front of the line, within both limits; all behind is let go", () => {
  fc.assert(
    fc.property(line, (inLine) => {
      const { begin, letGo } = chooseLoads(inLine, limits);
      const absent = inLine.filter(({ state }) => state === "absent");
      const held = inLine.filter(({ state }) => state === "held");
      assert.deepEqual(begin, absent.slice(0, begin.length));
      assert.deepEqual(letGo, held.slice(held.length - letGo.length));
      const last = Math.max(-1, ...begin.map((weights) => inLine.indexOf(weights)));
      const kept = inLine.slice(0, last + 1);
      assert.ok(kept.every((weights) => !letGo.includes(weights)));
      assert.ok(kept.length <= limits.countMax);
      const bytes = kept.reduce((sum, weights) => sum + weights.bytes, 0);
      assert.ok(kept.length <= limits.countMin || bytes <= limits.bytesMax);
    }),
  );
});

test("a newcomer in front takes the place of the last that is held", () => {
  const held = [40, 40, 20].map((bytes) => ({ bytes, state: "held" }) as const);
  assert.deepEqual(chooseLoads(held, limits), { begin: [], letGo: [] });
  const newcomer = { bytes: 10, state: "absent" } as const;
  assert.deepEqual(chooseLoads([newcomer, ...held], limits), {
    begin: [newcomer],
    letGo: held.slice(2),
  });
});
