import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  greedyPipelines,
  roundRobin,
  selectiveReplication,
  uniformReplication,
} from "./baselines.ts";
import { arrivalsOf, unitOf } from "../exam-problem.ts";
import { type Candidate, Judge, type Planning } from "../judge.ts";
import { idealProfile, type Tally } from "../placement.ts";
import { type ReplacementOptions, replacements } from "./replacement.ts";

const units = ["a", "b", "c"].map((name) => unitOf(name, [1], [0.5, 0.5]));

function planningOf(
  cluster: { deviceCount: number; deviceBytes: number },
  ...requests: [number, number][]
): Planning {
  const objective = { deadlineSeconds: units.map(() => 1), attainment: 1 };
  const nodes = [{ name: "n", ...cluster }];
  return {
    problem: { units, cluster: { nodes, linkSeconds: 0 }, objective },
    arrivals: arrivalsOf(...requests),
    profile: idealProfile,
  };
}

function unitsOf({ groups }: Candidate): readonly (readonly number[])[] {
  return groups.map((group) => group.units);
}

describe("baselines", () => {
  const judge = new Judge(planningOf({ deviceCount: 3, deviceBytes: 2 }, [0, 1], [0, 1], [0, 1]));

  test("uniform replication: each device has its unit and the next ones", () => {
    assert.deepEqual(unitsOf(uniformReplication(judge)), [
      [0, 1],
      [1, 2],
      [2, 0],
    ]);
  });

  test("round robin deals units in turns; what is left over is a shorter pipeline", () => {
    const { groups } = roundRobin(judge, 2);
    assert.deepEqual(
      groups.map(({ configuration }) => configuration.stageCount),
      [2, 1],
    );
    assert.deepEqual(unitsOf({ groups, counts: judge.judge(groups).counts }), [
      [0, 2],
      [1, 0],
    ]);
  });

  test("selective replication puts the unit that is asked for on every device", () => {
    const { counts, groups } = selectiveReplication(judge);
    assert.equal(counts.goodCount, 3);
    assert.ok(groups.every((group) => group.units.includes(1)));
  });

  test("greedy pipelines have the given length where devices allow it", () => {
    const { groups } = greedyPipelines(judge, 2);
    assert.deepEqual(
      groups.map(({ devices }) => devices.length),
      [2, 1],
    );
  });
});

/** Counts over all windows. */
function simulateReplacement(planning: Planning, options: ReplacementOptions): Tally {
  const windows = replacements(planning, options);
  for (;;) {
    const { done, value } = windows.next();
    if (done === true) return value;
  }
}

describe("replacements", () => {
  // One device with room for one unit; each window asks for another one.
  const one = { deviceCount: 1, deviceBytes: 1 };
  const changing = planningOf(one, [1, 2], [5, 2], [12, 1], [15, 1], [31, 1]);
  const plan = selectiveReplication;

  test("who knows the future serves every window", () => {
    const options = { windowSeconds: 10, knows: "future", plan } as const;
    const counts = simulateReplacement(changing, options);
    assert.deepEqual(counts, { requestCount: 5, goodCount: 5 });
  });

  test("who knows the past serves what the last window asked for", () => {
    const options = { windowSeconds: 10, knows: "past", plan } as const;
    // First unit a, of which nothing is known, then c, then b: the silent window changes nothing.
    assert.deepEqual(simulateReplacement(changing, options), { requestCount: 5, goodCount: 1 });
  });

  test("queues are empty after a switch", () => {
    const planning = planningOf(one, [9.5, 0], [10, 0]);
    const options = { knows: "future", plan } as const;
    assert.equal(simulateReplacement(planning, { windowSeconds: 10, ...options }).goodCount, 2);
    assert.equal(simulateReplacement(planning, { windowSeconds: 20, ...options }).goodCount, 1);
  });
});
