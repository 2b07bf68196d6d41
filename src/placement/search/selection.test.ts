import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alone, arrivalsOf, twoStages, unitOf } from "../exam-problem.ts";
import { Judge, type PlacedGroup, type Planning, planOf } from "../judge.ts";
import { idealProfile } from "../placement.ts";
import { selectUnits } from "./selection.ts";

const units = ["a", "b", "c"].map((name) => unitOf(name, [1], [0.5, 0.5]));

function planningOf(deviceBytes: number, ...requests: [number, number][]): Planning {
  const cluster = { nodes: [{ name: "n", deviceCount: 2, deviceBytes }], linkSeconds: 0 };
  const objective = { deadlineSeconds: units.map(() => 1), attainment: 1 };
  const arrivals = arrivalsOf(...requests);
  return { problem: { units, cluster, objective }, arrivals, profile: idealProfile };
}

function device(number: number, deviceBytes: number): PlacedGroup {
  return { configuration: alone, devices: [number], deviceBytes, linkSeconds: [0], units: [] };
}

/** Two bursts of two on unit b, one request each of the others between them. */
const bursts: [number, number][] = [
  [0, 1],
  [0, 1],
  [5, 0],
  [10, 2],
  [20, 1],
  [20, 1],
];

describe("selectUnits", () => {
  test("the unit that is missed most comes first, and gets a second replica", () => {
    const judge = new Judge(planningOf(1, ...bursts));
    const { groups, counts } = selectUnits(judge, [device(0, 1), device(1, 1)]);
    // With one b 2 of 4 are in time, and a or c would add 1; the second b adds 2.
    assert.deepEqual(
      groups.map((group) => group.units),
      [[1], [1]],
    );
    assert.equal(counts.goodCount, 4);
  });

  test("with room for all, all are served", () => {
    const judge = new Judge(planningOf(3, ...bursts));
    const { counts } = selectUnits(judge, [device(0, 3), device(1, 3)]);
    assert.equal(counts.goodCount, 6);
  });

  test("only the named units are placed", () => {
    const judge = new Judge(planningOf(3, ...bursts));
    const { groups } = selectUnits(judge, [device(0, 3), device(1, 3)], { units: [0, 2] });
    assert.deepEqual(new Set(groups.flatMap((group) => group.units)), new Set([0, 2]));
  });

  test("the best on the way is kept when the fullest placement is worse", () => {
    // c takes 10 seconds, so that a request of b behind it is late.
    const slow = [unitOf("a", [1]), unitOf("b", [1]), unitOf("c", [10])];
    const requests: [number, number][] = [
      [0, 2],
      ...[1, 2.5, 4, 5.5].map((seconds): [number, number] => [seconds, 1]),
    ];
    const planning = planningOf(2, ...requests);
    const objective = { deadlineSeconds: [1, 1, 10], attainment: 1 };
    const judge = new Judge({
      ...planning,
      problem: { ...planning.problem, units: slow, objective },
    });
    const { groups, counts } = selectUnits(judge, [device(0, 2)]);
    assert.equal(counts.goodCount, 4);
    assert.deepEqual(groups[0]?.units, [1]);
  });

  test("a wider beam is never worse, and follows up what greed does not", () => {
    const judge = new Judge(planningOf(1, ...bursts));
    const start = [device(0, 1), device(1, 1)];
    const greedy = selectUnits(judge, start);
    const beam = selectUnits(judge, start, { beamWidth: 3, branchCount: 3 });
    assert.ok(beam.counts.goodCount >= greedy.counts.goodCount);
    assert.ok(judge.runCount > 6);
  });

  test("adding several at once takes fewer simulations", () => {
    const judge = new Judge(planningOf(3, ...bursts));
    const start = [device(0, 3), device(1, 3)];
    const runsOf = (addCount: number): number => {
      const before = judge.runCount;
      selectUnits(judge, start, { addCount });
      return judge.runCount - before;
    };
    // Six replicas: one by one, or two at a time; the last look finds no room.
    assert.deepEqual([runsOf(1), runsOf(2)], [7, 4]);
  });
});

describe("Judge", () => {
  test("a better placement is told apart from one that is as good or worse", () => {
    const judge = new Judge(planningOf(1, ...bursts));
    const [one, two] = [
      { ...device(0, 1), units: [1] },
      { ...device(1, 1), units: [1] },
    ];
    const { counts } = judge.judge([one]);
    assert.equal(counts.goodCount, 2);
    assert.equal(judge.improve([one], counts), undefined);
    assert.equal(judge.improve([one, two], counts)?.counts.goodCount, 4);
    assert.equal(judge.improve([], counts), undefined);
  });

  test("shared weights count once", () => {
    const shared = [{ name: "base", deviceBytes: 5 }];
    const standing = units.map((unit) => ({
      ...unit,
      profiles: unit.profiles.map((profile) => ({ ...profile, shared })),
    }));
    const planning = planningOf(7);
    const judge = new Judge({ ...planning, problem: { ...planning.problem, units: standing } });
    assert.ok(judge.fits(device(0, 7), [0, 1]));
    assert.ok(!judge.fits(device(0, 7), [0, 1, 2]));
  });

  test("with batching, requests that wait are served together", () => {
    const batched = units.map((unit) => ({
      ...unit,
      profiles: unit.profiles.map((profile) => ({
        ...profile,
        latencies: [
          ...profile.latencies,
          { batchSize: 2, tokenCount: 1, stageSeconds: profile.stageBytes.map(() => 1) },
        ],
      })),
    }));
    // The first one runs alone until 1; the other two wait and are done at 2, together.
    const planning = planningOf(1, [0, 0], [0.5, 0], [0.5, 0]);
    const objective = { deadlineSeconds: [1.5, 1, 1], attainment: 1 };
    const problem = { ...planning.problem, units: batched, objective };
    const groups = [{ ...device(0, 1), units: [0] }];
    assert.equal(new Judge({ ...planning, problem }).judge(groups).counts.goodCount, 2);
    const judge = new Judge({ ...planning, problem, isBatching: true });
    assert.equal(judge.judge(groups).counts.goodCount, 3);
  });

  test("configurations that are too large for the cluster are left out", () => {
    const wide = [unitOf("a", [1], [0.5, 0.5], [0.4, 0.3, 0.3])];
    const planning = planningOf(1);
    const judge = new Judge({ ...planning, problem: { ...planning.problem, units: wide } });
    assert.deepEqual(judge.configurations, [alone, twoStages]);
  });

  test("a placement becomes a plan by names", () => {
    const planning = planningOf(2);
    assert.deepEqual(planOf([{ ...device(1, 2), units: [2, 0] }], planning.problem), {
      groups: [{ devices: [1], configuration: alone, units: ["c", "a"] }],
    });
  });
});
