import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Clock, systemClock } from "../foundation/clock.ts";
import { steadyDemand } from "../placement/demand.ts";
import type { Plan } from "../placement/placement.ts";
import { search } from "../placement/search/search.ts";
import { verify } from "../placement/verify.ts";
import { smallScenario } from "./exam-scenario.ts";
import { withDevices } from "./fleet.ts";
import { baselinesOf } from "./methods.ts";
import { type PlanRun, planScenario, type PlanStep } from "./plan-scenario.ts";
import { planningOf, type Scenario, trialOf } from "./planning.ts";
import { axisNames, axisOf } from "./sweep.ts";

const run: PlanRun = {
  runSearch: search,
  search: { clock: systemClock },
  baselines: baselinesOf({ windowSeconds: 20, clock: systemClock }),
  axes: [axisOf(smallScenario, "devices", [1, 4])],
  findsCheapest: true,
  onPlan: () => Promise.resolve(),
  onStep: () => {},
};

describe("planScenario", () => {
  test("plans, compares, varies, finds the cheapest nodes, and only goes forward", async () => {
    const steps: PlanStep[] = [];
    const result = await planScenario(smallScenario, { ...run, onStep: (s) => steps.push(s) });
    assert.deepEqual(verify(result.plan, planningOf(smallScenario).problem), []);
    assert.equal(result.methods.length, 5);
    assert.equal(result.methods[0]?.attainment, result.verdict.attainment);
    const [sweep] = result.sweeps;
    assert.equal(sweep?.curves.length, 5);
    const [ours] = sweep?.curves ?? [];
    assert.ok((ours?.attainments[0] ?? 1) < (ours?.attainments[1] ?? 0));
    assert.ok(result.mixes.some((mix) => mix === result.cheapest));
    assert.equal(result.isInterrupted, false);
    const shares = steps.map(({ doneShare }) => doneShare);
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => a - b),
    );
    assert.equal(shares.at(-1), 1);
    assert.deepEqual(
      [...new Set(steps.map(({ step }) => step))],
      ["search", "compare", "what if", "cheapest"],
    );
  });

  test("no plan and no point is below a rule that places once", async () => {
    const share = fc.double({ min: 0.02, max: 1, noNaN: true });
    const load = fc.record({ rate: share.map((x) => 12 * x), cv: share.map((x) => 9 * x) });
    const cases = fc.record({
      loads: fc.array(load, { minLength: 2, maxLength: 4 }),
      deviceCount: fc.integer({ min: 1, max: 5 }),
      roomCount: fc.integer({ min: 1, max: 2 }),
      slo: fc.double({ min: 0.1, max: 1, noNaN: true }),
      seed: fc.nat(1000),
    });
    const property = fc.asyncProperty(cases, async ({ loads, deviceCount, roomCount, ...rest }) => {
      const [unit] = smallScenario.units;
      const nodes = smallScenario.fleet.nodes.map((node) => ({
        ...node,
        deviceBytes: roomCount * 1e9,
      }));
      const scenario: Scenario = {
        ...smallScenario,
        units: loads.flatMap((_, index) => (unit ? [{ ...unit, name: `m${index}` }] : [])),
        fleet: withDevices({ ...smallScenario.fleet, nodes }, deviceCount),
        deadlineSeconds: loads.map(() => rest.slo),
        demand: steadyDemand(loads, 60),
        seed: rest.seed,
      };
      const axes = axisNames.map((name) => axisOf(scenario, name));
      const result = await planScenario(scenario, { ...run, axes, findsCheapest: false });
      const [ours, ...others] = result.methods;
      for (const { name, attainment } of others.slice(0, 2))
        assert.ok((ours?.attainment ?? 0) >= attainment, name);
      for (const { axis, curves } of result.sweeps)
        for (const { method, attainments } of curves.slice(1, 3))
          for (const [index, attainment] of attainments.entries()) {
            const what = `${method}, ${axis.name} ${axis.values[index]}`;
            assert.ok((curves[0]?.attainments[index] ?? 0) >= attainment, what);
          }
    });
    await fc.assert(property, { numRuns: 8, endOnFailure: true });
  });

  test("one seed, one outcome", async () => {
    const outcomes = [];
    for (const seed of [3, 3]) {
      const { plan, methods } = await planScenario({ ...smallScenario, seed }, run);
      outcomes.push({ plan, methods });
    }
    assert.deepEqual(outcomes[0], outcomes[1]);
  });

  test("stopped during the search it still has a plan, and nothing else", async () => {
    const controller = new AbortController();
    const plans: Plan[] = [];
    const result = await planScenario(smallScenario, {
      ...run,
      search: { clock: systemClock, signal: controller.signal },
      onStep: ({ step }) => step === "search" && controller.abort(),
      onPlan: (plan) => Promise.resolve(void plans.push(plan)),
    });
    assert.deepEqual(plans, [result.plan]);
    assert.equal(result.isInterrupted, true);
    assert.equal(result.methods.length, 1);
    assert.deepEqual(result.sweeps[0]?.curves[0]?.attainments, []);
    assert.deepEqual(result.mixes, []);
  });

  test("models that no device can hold are missed, by every method", async () => {
    const [small] = smallScenario.fleet.nodes;
    const nodes = small ? [{ ...small, deviceBytes: 1 }] : [];
    const fleet = { ...smallScenario.fleet, nodes };
    const { methods } = await planScenario({ ...smallScenario, fleet }, { ...run, axes: [] });
    for (const { name, attainment } of methods) assert.equal(attainment, 0, name);
  });
});

test("re-placement ends before its next window once it is stopped", async () => {
  const controller = new AbortController();
  let pauseCount = 0;
  const clock: Clock = {
    ...systemClock,
    schedule(delayMs, callback) {
      pauseCount += 1;
      controller.abort();
      return systemClock.schedule(delayMs, callback);
    },
  };
  const { signal } = controller;
  const methods = baselinesOf({ windowSeconds: 1, clock, signal });
  const replacement = methods.find(({ name }) => name === "re-placement");
  await replacement?.attain(planningOf(smallScenario), trialOf(smallScenario));
  assert.equal(pauseCount, 1);
});
