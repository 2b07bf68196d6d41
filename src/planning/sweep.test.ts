import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { meanCvOf, totalRateOf } from "./demands.ts";
import { smallScenario } from "./exam-scenario.ts";
import { deviceCountOf } from "./fleet.ts";
import type { Method } from "./methods.ts";
import type { Scenario } from "./planning.ts";
import { axisNames, axisOf, sweep, variantOf } from "./sweep.ts";

const history = { seconds: Float64Array.of(0, 1, 4), units: Uint32Array.of(0, 1, 0) };
const traced: Scenario = { ...smallScenario, history };

describe("axes", () => {
  test("stand at what the scenario has", () => {
    const { sloScale: _, ...inSeconds } = { ...smallScenario, deadlineSeconds: [0.4, 2] };
    assert.deepEqual(
      axisNames.map((name) => axisOf(smallScenario, name).base),
      [6, 3, 4, 4],
    );
    assert.equal(axisOf(inSeconds, "slo").base, 1.2);
    for (const name of axisNames) {
      const { values, base } = axisOf(smallScenario, name);
      assert.ok(values.includes(base), name);
    }
  });

  test("take the values that are given, each once and ascending", () => {
    assert.deepEqual(axisOf(smallScenario, "devices", [8, 2, 8]).values, [2, 8]);
  });

  test("burstiness does not pass its limit", () => {
    const loads = [[{ rate: 1, cv: 60 }]];
    const bursty = { ...smallScenario, demand: { windowSeconds: 1, loads } };
    assert.equal(axisOf(bursty, "cv").values.at(-1), 64);
  });
});

describe("variantOf", () => {
  const variant = (name: (typeof axisNames)[number], value: number): Scenario =>
    variantOf(traced, axisOf(traced, name), value);

  test("a greater rate replays the trace faster", () => {
    const { demand, history: replayed } = variant("rate", 12);
    assert.equal(totalRateOf(demand), 12);
    assert.deepEqual([...(replayed?.seconds ?? [])], [0, 0.5, 2]);
  });

  test("other burstiness gives the trace up", () => {
    const { demand, history: none } = variant("cv", 1);
    assert.equal(meanCvOf(demand.loads.flat()), 1);
    assert.equal(totalRateOf(demand), 6);
    assert.equal(none, undefined);
  });

  test("deadlines and devices change alone", () => {
    assert.deepEqual(variant("slo", 1).deadlineSeconds, [0.1, 0.1]);
    assert.equal(deviceCountOf(variant("devices", 7).fleet), 7);
    assert.equal(variant("devices", 7).history, history);
  });

  test("nothing that is asked for has no rate to scale", () => {
    const silent = { ...smallScenario, demand: { windowSeconds: 1, loads: [[], []] } };
    const [, second = 0] = axisOf(silent, "rate").values;
    assert.equal(totalRateOf(variantOf(silent, axisOf(silent, "rate"), second).demand), 0);
  });
});

test("a sweep asks every method at every value, and leaves out where it was stopped", async () => {
  const counting: Method = {
    name: "counting",
    attain: ({ problem }) => Promise.resolve(problem.cluster.nodes.length / 10),
  };
  const seen: number[] = [];
  const axis = axisOf(smallScenario, "devices", [2, 4, 6]);
  const { curves } = await sweep(smallScenario, axis, {
    methods: [counting, { ...counting, name: "again" }],
    isOver: () => seen.length === 2,
    onPoint: (value) => seen.push(value),
  });
  assert.deepEqual(seen, [2, 4]);
  assert.deepEqual(curves, [
    { method: "counting", attainments: [0.1, 0.2] },
    { method: "again", attainments: [0.1, 0.2] },
  ]);
});
