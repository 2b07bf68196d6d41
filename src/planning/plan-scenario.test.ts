import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Clock, systemClock } from "../foundation/clock.ts";
import type { Plan } from "../placement/placement.ts";
import { search } from "../placement/search.ts";
import { verify } from "../placement/verify.ts";
import { smallScenario } from "./exam-scenario.ts";
import { baselinesOf } from "./methods.ts";
import { type PlanRun, planScenario, type PlanStep } from "./plan-scenario.ts";
import { planningOf, trialOf } from "./planning.ts";
import { axisOf } from "./sweep.ts";

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
