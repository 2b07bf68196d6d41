import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "../../foundation/clock.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { placeByRule, ruleNames } from "./baselines.ts";
import { assignDevices, sameShape } from "../devices.ts";
import { drawArrivals, steadyDemand } from "../demand.ts";
import { arrivalsOf, twoStages, unitOf } from "../exam-problem.ts";
import { Judge, type PlacedGroup, type Planning } from "../judge.ts";
import { climb } from "./moves.ts";
import { type Arrivals, idealProfile } from "../placement.ts";
import { search, type SearchProgress } from "./search.ts";
import { runSearchTask } from "./search-tasks.ts";
import { selectUnits } from "./selection.ts";
import { verify } from "../verify.ts";

const options = { clock: systemClock, roundCount: 2 };

/** Units of two sizes on more devices than are even; bursty and skewed. */
function planningOf(seed: number): Planning {
  const random = new SeededRandom(seed);
  const units = Array.from({ length: 6 }, (_, index) => {
    const seconds = index % 2 === 0 ? 0.2 : 0.5;
    const half = seconds * 0.55;
    const unit = unitOf(`m${index}`, [seconds], [half, half]);
    const bytes = 2 + random.integer(4);
    const profiles = unit.profiles.map((profile) => ({
      ...profile,
      stageBytes: profile.stageBytes.map(() => bytes / profile.stageBytes.length),
    }));
    return { ...unit, profiles };
  });
  const nodes = [3, 2].map((deviceCount, node) => ({
    name: `n${node}`,
    deviceCount,
    deviceBytes: 6 - node,
  }));
  const loads = units.map((_, index) => ({ rate: 3 / (index + 1), cv: 3 }));
  const arrivals = drawArrivals(steadyDemand(loads, 60), seed);
  const deadlineSeconds = units.map((_, index) => (index % 2 === 0 ? 0.8 : 2));
  const objective = { deadlineSeconds, attainment: 0.5 };
  const cluster = { nodes, linkSeconds: 0.01 };
  return { problem: { units, cluster, objective }, arrivals, profile: idealProfile };
}

describe("search", () => {
  test("a burst on either unit needs both devices as a pipeline", async () => {
    const units = [unitOf("a", [1], [0.5, 0.5]), unitOf("b", [1], [0.5, 0.5])];
    const nodes = [{ name: "n", deviceCount: 2, deviceBytes: 2 }];
    const arrivals = arrivalsOf([0, 0], [0, 0], [9, 1], [9, 1]);
    // Both fit on each device, but two devices answer at 1 and a pipeline at 1 and 1.5.
    const single = units.map((unit) => ({
      ...unit,
      profiles: unit.profiles.map((profile) => ({
        ...profile,
        stageBytes: profile.stageBytes.map(() => 2 / profile.stageBytes.length),
      })),
    }));
    const objective = { deadlineSeconds: [1.5, 1.5], attainment: 1 };
    const problem = { units: single, cluster: { nodes, linkSeconds: 0 }, objective };
    const result = await search({ problem, arrivals, profile: idealProfile }, options);
    assert.equal(result.attainment, 1);
    assert.deepEqual(
      result.plan.groups.map(({ configuration, units: names }) => [configuration, names.length]),
      [[twoStages, 2]],
    );
  });

  test("plans break no rule, on uneven nodes, whatever the seed", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const planning = planningOf(seed);
      const result = await search(planning, { ...options, seed });
      assert.deepEqual(verify(result.plan, planning.problem), [], `seed ${seed}`);
      assert.ok(result.attainment > 0);
    }
  });

  test("one seed gives one plan, wherever and in whatever order its tasks run", async () => {
    const planning = planningOf(7);
    const first = await search(planning, { ...options, seed: 3 });
    const judges = [new Judge(planning), new Judge(planning)];
    let turn = 0;
    const second = await search(planning, {
      ...options,
      seed: 3,
      runTask: (task) => {
        const judge = judges[turn++ % 2] ?? new Judge(planning);
        const result = runSearchTask(judge, task);
        // Every other task is done later.
        return new Promise((resolve) => setTimeout(resolve, turn % 2, result));
      },
    });
    assert.deepEqual(second.plan, first.plan);
    assert.equal(second.runCount, first.runCount);
  });

  test("it is never worse than the greedy placements that it starts from", async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const planning = planningOf(seed);
      const judge = new Judge(planning);
      const { attainment } = await search(planning, { ...options, seed });
      for (const configuration of judge.configurations) {
        const shape = sameShape(configuration, judge.deviceCount, judge.configurations);
        const groups = assignDevices(shape, [0, 1, 2, 3, 4], planning.problem.cluster) ?? [];
        const { counts } = selectUnits(
          judge,
          groups.map((group) => ({ ...group, units: [] })),
          { addCount: 8 },
        );
        assert.ok(attainment >= counts.goodCount / counts.requestCount, `seed ${seed}`);
      }
    }
  });

  test("it is never worse than what a rule places, on the trial neither", async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const planning = planningOf(seed);
      const trial = planningOf(100 + seed).arrivals;
      const shareOf = (groups: readonly PlacedGroup[], arrivals: Arrivals): number => {
        const { counts } = new Judge({ ...planning, arrivals }).judge(groups);
        return counts.goodCount / counts.requestCount;
      };
      const planned = await search(planning, { ...options, seed, roundCount: 0 });
      const tried = await search(planning, { ...options, seed, roundCount: 0, trial });
      const ruled = ruleNames.map((rule) => placeByRule(rule, new Judge(planning)).groups);
      for (const [index, groups] of ruled.entries()) {
        const what = `${ruleNames[index]}, seed ${seed}`;
        assert.ok(planned.attainment >= shareOf(groups, planning.arrivals), what);
        const found = shareOf(tried.candidate.groups, trial);
        assert.ok(found >= shareOf(groups, trial), what);
        assert.ok(found >= shareOf(planned.candidate.groups, trial), what);
      }
    }
  });

  test("stopped, it returns the best so far; aborted beforehand, an empty plan", async () => {
    const planning = planningOf(2);
    const aborting = new AbortController();
    const seen: SearchProgress[] = [];
    const stopped = await search(planning, {
      ...options,
      signal: aborting.signal,
      onProgress: (progress) => {
        seen.push(progress);
        aborting.abort();
      },
    });
    // Those that were under way are still waited for.
    assert.ok(seen.length <= 8);
    assert.equal(stopped.isFinished, false);
    assert.equal(stopped.candidate.counts.goodCount, Math.max(...seen.map((s) => s.goodCount)));
    assert.ok(stopped.attainment > 0);
    const { plan } = await search(planning, { ...options, signal: AbortSignal.abort() });
    assert.deepEqual(plan, { groups: [] });
    const { runCount } = await search(planning, { ...options, seconds: 0 });
    assert.equal(runCount, 0);
  });

  test("nodes that leave devices over have groups; without units there are none", async () => {
    const wide = { intraOp: 2, stageCount: 1 };
    const unit = { ...unitOf("a", [1]), profiles: [] };
    const profile = { latencies: [{ batchSize: 1, tokenCount: 1, stageSeconds: [1] }] };
    const units = [{ ...unit, profiles: [{ ...profile, configuration: wide, stageBytes: [1] }] }];
    const nodes = [0, 1].map((node) => ({ name: `n${node}`, deviceCount: 3, deviceBytes: 1 }));
    const cluster = { nodes, linkSeconds: 0 };
    const objective = { deadlineSeconds: [1], attainment: 1 };
    const arrivals = arrivalsOf([0, 0], [0, 0], [0, 0]);
    const problem = { units, cluster, objective };
    const planning = { problem, arrivals, profile: idealProfile };
    const { plan } = await search(planning, options);
    assert.deepEqual(
      plan.groups.map(({ devices }) => devices),
      [
        [0, 1],
        [3, 4],
      ],
    );
    const nothing = { ...planning, problem: { ...problem, units: [] }, arrivals: arrivalsOf() };
    assert.deepEqual((await search({ ...nothing }, options)).plan, { groups: [] });
    assert.equal((await search(planning, { ...options, start: [] })).attainment, 2 / 3);
  });

  test("a placement that is handed in is a start, and not made worse", async () => {
    const planning = planningOf(3);
    const { candidate } = await search(planning, { ...options, roundCount: 4 });
    const again = await search(planning, { ...options, roundCount: 0, start: candidate.groups });
    assert.deepEqual(again.candidate, candidate);
    const improved = await search(planning, { ...options, seed: 9, start: candidate.groups });
    assert.ok(improved.attainment >= candidate.counts.goodCount / candidate.counts.requestCount);
  });

  test("content with the objective, it ends when that is reached", async () => {
    const planning = planningOf(2);
    const quick = await search(planning, { ...options, isContentWithObjective: true });
    const whole = await search(planning, options);
    assert.ok(quick.attainment >= 0.5);
    assert.ok(quick.isFinished);
    assert.ok(quick.runCount < whole.runCount);
  });
});

describe("climb", () => {
  test("uneven groups are found where even ones are worse", () => {
    // Three devices: bursts of unit a need a pipeline, and unit b runs on one device only.
    const units = [unitOf("a", [1], [0.5, 0.5]), unitOf("b", [1])];
    const nodes = [{ name: "n", deviceCount: 3, deviceBytes: 1 }];
    const objective = { deadlineSeconds: [1.5, 1], attainment: 1 };
    const problem = { units, cluster: { nodes, linkSeconds: 0 }, objective };
    const arrivals = arrivalsOf([0, 0], [0, 0], [0, 0], [0, 1], [9, 1]);
    const judge = new Judge({ problem, arrivals, profile: idealProfile });
    const devices = [0, 1, 2].map((device) => ({
      configuration: { intraOp: 1, stageCount: 1 },
      ...{ devices: [device], deviceBytes: 1, linkSeconds: [0], units: [] },
    }));
    const start = judge.judge(devices);
    const { counts, groups } = climb(judge, start, { random: new SeededRandom(1), runCount: 2000 });
    // Two of a on a pipeline, or on two devices; b on the third. A third a is always late.
    assert.equal(counts.goodCount, 4);
    assert.deepEqual(verify({ groups: groups.map((g) => ({ ...g, units: [] })) }, problem), []);
  });
});
