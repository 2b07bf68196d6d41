import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drawArrivals, steadyDemand } from "../demand.ts";
import { alone, arrivalsOf, twoStages, unitOf } from "../exam-problem.ts";
import { Kernel, type Layout, layoutsOf } from "./kernel.ts";
import { alpaserveProfile, idealProfile, type Unit } from "../placement.ts";
import { md1Seconds, pipelineSeconds } from "./exam-queueing.ts";

const both: readonly Unit[] = [unitOf("a", [1], [0.5, 0.5]), unitOf("b", [1], [0.5, 0.5])];

function kernelOf(units: readonly Unit[], deadline: number, requests: [number, number][]): Kernel {
  const arrivals = arrivalsOf(...requests);
  const deadlineSeconds = units.map(() => deadline);
  return new Kernel({ units, deadlineSeconds, arrivals, profile: idealProfile });
}

const burst: [number, number][] = [0, 0, 0, 0].map((seconds) => [seconds, 0]);
const dedicated: readonly Layout[] = [
  { configuration: alone, units: [0] },
  { configuration: alone, units: [1] },
];
const pipeline: readonly Layout[] = [{ configuration: twoStages, units: [0, 1] }];

describe("Kernel", () => {
  test("a burst on one model takes 2.5 on its own device and 1.925 on a pipeline", () => {
    // After AlpaServe, figure 1; the stages together take 10 % longer.
    const units = [unitOf("a", [1], [0.55, 0.55]), unitOf("b", [1], [0.55, 0.55])];
    const kernel = kernelOf(units, Infinity, burst);
    assert.equal(kernel.run(dedicated).servedSeconds / 4, 2.5);
    kernel.run(pipeline);
    const expected = [1.1, 1.65, 2.2, 2.75];
    for (const [request, seconds] of kernel.outcomes.finishSeconds.entries())
      assert.ok(Math.abs(seconds - (expected[request] ?? 0)) < 1e-12);
  });

  test("a rejected request leaves the clocks, and is counted where it was sent", () => {
    // The second one would finish at 2 and is rejected; the third one finds the device as it was.
    const requests: [number, number][] = [...burst.slice(0, 2), [1, 0], [1, 1]];
    const kernel = kernelOf(both, 1.5, requests);
    const counts = kernel.run(dedicated.slice(0, 1));
    assert.deepEqual([...kernel.outcomes.isGood], [1, 0, 1, 0]);
    assert.deepEqual([...kernel.outcomes.finishSeconds], [1, 0, 2, 1]);
    assert.deepEqual([...kernel.outcomes.groups], [0, 0, 0, -1]);
    assert.deepEqual([...counts.unitRequests, ...counts.unitGood], [3, 1, 2, 0]);
    assert.deepEqual([...counts.groupRequests, ...counts.groupGood], [3, 2]);
    assert.deepEqual([counts.requestCount, counts.goodCount], [4, 2]);
  });

  test("the host whose last stage was free first is taken, on a tie the first", () => {
    const kernel = kernelOf(both, Infinity, [...burst.slice(0, 3), [9, 0]]);
    kernel.run([0, 1, 2].map(() => ({ configuration: alone, units: [0] })));
    assert.deepEqual([...kernel.outcomes.groups], [0, 1, 2, 0]);
  });

  test("a part of the requests is run from empty queues, and a run forgets the last one", () => {
    const kernel = kernelOf(both, 1.5, burst);
    assert.equal(kernel.run(dedicated, { from: 0, until: 2 }).goodCount, 1);
    const counts = kernel.run(dedicated, { from: 2 });
    assert.deepEqual([counts.requestCount, counts.goodCount], [2, 1]);
    assert.deepEqual([...kernel.outcomes.isGood], [1, 0, 1, 0]);
  });

  test("a run stops after the part in which too many are missed, and is else as ever", () => {
    // One at a time and no time to wait: of each pair the second is missed. Parts are of two.
    const pairs = Array.from({ length: 32 }, (_, index): [number, number] => [index >> 1, 0]);
    const kernel = kernelOf(both, 1, pairs);
    const { requestCount, goodCount } = kernel.run(dedicated, { missCountMax: 4 });
    assert.deepEqual([requestCount, goodCount], [10, 5]);
    const counts = kernel.run(dedicated);
    assert.deepEqual(kernel.run(dedicated, { missCountMax: 16 }), counts);
    assert.equal(counts.goodCount, 16);
  });

  test("a run in parts adds up as one in one go does, to the last bit", () => {
    const arrivals = drawArrivals(steadyDemand([{ rate: 3, cv: 3 }], 400), 2);
    const kernel = new Kernel({
      ...{ units: both.slice(0, 1), deadlineSeconds: [20], arrivals, profile: idealProfile },
    });
    for (const isSingleStage of [false, true]) {
      const whole = kernel.run(dedicated.slice(0, 1), { isSingleStage });
      const missCountMax = whole.requestCount - 1;
      const parted = kernel.run(dedicated.slice(0, 1), { isSingleStage, missCountMax });
      assert.ok(whole.goodCount > 50);
      assert.deepEqual(parted, whole);
    }
  });

  test("by one clock per group, its slowest stage makes the next one wait", () => {
    const units = [unitOf("a", [1, 3, 2])];
    const layouts = [{ configuration: { intraOp: 1, stageCount: 3 }, units: [0] }];
    const kernel = kernelOf(units, 9, burst.slice(0, 3));
    kernel.run(layouts, { isSingleStage: true });
    assert.deepEqual([...kernel.outcomes.finishSeconds], [6, 9, 0]);
  });

  test("the overheads of a profile are added", () => {
    const arrivals = arrivalsOf([0, 0]);
    const kernel = new Kernel({
      ...{ units: both, deadlineSeconds: [1.04, 9], arrivals, profile: alpaserveProfile },
    });
    assert.equal(kernel.run(pipeline).goodCount, 1);
    // 2 x float32(0.5 x 1.018) + 0.011, worked out by hand; float32 is good for 7 digits.
    assert.ok(Math.abs(kernel.run(pipeline).servedSeconds - 1.029) < 1e-7);
  });

  test("at random arrivals it waits as queueing theory says", () => {
    const demand = steadyDemand([{ rate: 0.6, cv: 1 }], 200_000);
    const arrivals = drawArrivals(demand, 1);
    const units = [unitOf("a", [1], [0.5, 0.7])];
    const kernel = new Kernel({
      ...{ units, deadlineSeconds: [Infinity], arrivals, profile: idealProfile },
    });
    const mean = (layout: Layout): number =>
      kernel.run([layout]).servedSeconds / arrivals.seconds.length;
    const oneDevice = mean({ configuration: alone, units: [0] });
    const stages = mean({ configuration: twoStages, units: [0] });
    const theory = pipelineSeconds(0.6, { allSeconds: 1.2, slowestSeconds: 0.7 });
    assert.ok(Math.abs(oneDevice / md1Seconds(0.6, 1) - 1) < 0.02, String(oneDevice));
    assert.ok(Math.abs(stages / theory - 1) < 0.02, String(stages));
  });
});

test("a plan's groups become layouts, with what links between nodes cost", () => {
  const nodes = ["n0", "n1"].map((name) => ({ name, deviceCount: 2, deviceBytes: 9 }));
  const cluster = { nodes, linkSeconds: 0.1 };
  const configuration = { intraOp: 1, stageCount: 3 };
  const plan = { groups: [{ devices: [0, 1, 2], configuration, units: ["b", "a"] }] };
  assert.deepEqual(layoutsOf(plan, { units: both, cluster }), [
    { configuration, units: [1, 0], linkSeconds: [0, 0, 0.1] },
  ]);
});
