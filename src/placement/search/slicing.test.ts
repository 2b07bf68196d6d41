import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Layer, sliceStages } from "./slicing.ts";

const layersOf = (...seconds: readonly number[]): readonly Layer[] =>
  seconds.map((value) => ({ seconds: value, deviceBytes: 1 }));

test("stages are as even as cuts between layers can make them", () => {
  assert.deepEqual(sliceStages(layersOf(1, 1, 1, 1), 2), { cuts: [0, 2, 4], slowestSeconds: 2 });
  assert.deepEqual(sliceStages(layersOf(5, 1, 1, 1), 2), { cuts: [0, 1, 4], slowestSeconds: 5 });
  assert.deepEqual(sliceStages(layersOf(3), 1), { cuts: [0, 1], slowestSeconds: 3 });
});

test("memory moves a cut, and forbids too few stages", () => {
  const layers = layersOf(4, 1, 1, 1, 1);
  assert.deepEqual(sliceStages(layers, 2, 3)?.cuts, [0, 2, 5]);
  assert.equal(sliceStages(layers, 2, 2), undefined);
});

test("there are no more stages than layers", () => {
  assert.equal(sliceStages(layersOf(1, 1), 3), undefined);
});

test("no other cut is better", () => {
  const some = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 9 });
  fc.assert(
    fc.property(some, fc.integer({ min: 1, max: 4 }), (seconds, stageCount) => {
      fc.pre(stageCount <= seconds.length);
      const slices = sliceStages(layersOf(...seconds), stageCount);
      assert.equal(slices?.slowestSeconds, slowestByTrying(seconds, stageCount));
      const stages = slices.cuts
        .slice(1)
        .map((end, stage) => seconds.slice(slices.cuts[stage], end).reduce((a, b) => a + b, 0));
      assert.equal(Math.max(...stages), slices.slowestSeconds);
    }),
  );
});

function slowestByTrying(seconds: readonly number[], stageCount: number): number {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  if (stageCount === 1) return sum(seconds);
  const ends = Array.from({ length: seconds.length - stageCount + 1 }, (_, index) => index + 1);
  return Math.min(
    ...ends.map((end) =>
      Math.max(sum(seconds.slice(0, end)), slowestByTrying(seconds.slice(end), stageCount - 1)),
    ),
  );
}
