import assert from "node:assert/strict";
import { test } from "node:test";
import { Agenda } from "./agenda.ts";
import { Machine, Stage } from "./machine.ts";

/**
 * The time at which each of [stage, at, seconds] ends, on stages that work at half speed when two
 * do.
 */
function endsOf(...works: readonly (readonly [number, number, number])[]): readonly number[] {
  const agenda = new Agenda();
  const machine = new Machine(agenda, (busyCount) => (busyCount > 1 ? 0.5 : 1));
  const stages = [new Stage(machine), new Stage(machine)];
  const ends: number[] = [];
  for (const [index, [stage, at, seconds]] of works.entries())
    agenda.at(at, () => {
      stages[stage]?.enter(seconds, () => (ends[index] = agenda.nowSeconds));
    });
  agenda.run();
  return ends;
}

test("a stage serves in order of entry, alone at the speed that was measured", () => {
  assert.deepEqual(endsOf([0, 1, 2], [0, 2, 3], [0, 9, 1]), [3, 6, 10]);
});

test("stages slow each other for as long as both work", () => {
  // From 1 to 3 both are at half speed: the second does its 1 s; the first has 2 s left.
  assert.deepEqual(endsOf([0, 0, 4], [1, 1, 1]), [5, 3]);
});

test("the next in a queue takes over without a pause for the others", () => {
  assert.deepEqual(endsOf([0, 0, 2], [0, 0, 2], [1, 0, 4]), [4, 8, 8]);
});
