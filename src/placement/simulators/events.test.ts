import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../foundation/random.ts";
import { drawArrivals, steadyDemand } from "../demand.ts";
import { type EventInput, simulate } from "./events.ts";
import { alone, arrivalsOf, twoStages, unitOf } from "../exam-problem.ts";
import { Kernel } from "./kernel.ts";
import { idealProfile, type Outcomes } from "../placement.ts";

describe("simulate", () => {
  test("a request passes client, dispatcher, admission and stages, with each one's delay", () => {
    const delays = { receiveSeconds: 1, dispatchSeconds: 2, startSeconds: 4, slackSeconds: 4 };
    const outcomes = simulate({
      units: [unitOf("a", [10, 20])],
      deadlineSeconds: [37],
      arrivals: arrivalsOf([0, 0], [1, 0]),
      layouts: [{ configuration: twoStages, units: [0] }],
      profile: { ...idealProfile, ...delays },
      dispatching: "in-flight",
    });
    // The first one starts at 7; the second one is rejected by admission at 1 + 3.
    assert.deepEqual([...outcomes.finishSeconds], [37, 4]);
    assert.deepEqual([...outcomes.isGood], [1, 0]);
  });

  test("the group with the fewest requests in flight is taken", () => {
    // The long request is alone on group 1, when three short ones have come to group 0 and one
    // gone.
    const outcomes = simulate({
      units: [unitOf("short", [1]), unitOf("long", [9])],
      deadlineSeconds: [Infinity, Infinity],
      arrivals: arrivalsOf([0, 0], [0, 1], [0.5, 0], [0.6, 1], [1.5, 0]),
      layouts: [
        { configuration: alone, units: [0, 1] },
        { configuration: alone, units: [0, 1] },
      ],
      profile: idealProfile,
      dispatching: "in-flight",
    });
    assert.deepEqual([...outcomes.groups], [0, 1, 0, 1, 0]);
  });

  test("what admission let through may still be late, if its slack is too small", () => {
    const outcomes = simulate({
      units: [unitOf("a", [1])],
      deadlineSeconds: [1.2],
      arrivals: arrivalsOf([0, 0]),
      layouts: [{ configuration: alone, units: [0] }],
      profile: { ...idealProfile, startSeconds: 0.5 },
      dispatching: "in-flight",
    });
    assert.deepEqual([[...outcomes.finishSeconds], [...outcomes.isGood]], [[1.5], [0]]);
  });
});

/** Units of random sizes on random groups, under a random bursty load. */
const scenes = fc.record({
  sizes: fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: 1, maxLength: 5 }),
  stageCounts: fc.array(fc.constantFrom(1, 2, 4), { minLength: 1, maxLength: 4 }),
  hosting: fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
  deadline: fc.double({ min: 1.5, max: 10, noNaN: true }),
  load: fc.double({ min: 0.3, max: 1.5, noNaN: true }),
  cv: fc.constantFrom(0.5, 1, 4),
  seed: fc.nat(),
});

type Scene = typeof scenes extends fc.Arbitrary<infer T> ? T : never;
type ExamInput = Omit<EventInput, "profile" | "dispatching">;

function inputOf({ sizes, stageCounts, hosting, deadline, load, cv, seed }: Scene): ExamInput {
  const units = sizes.map((size, index) => {
    const stages = (count: number): number[] =>
      Array.from({ length: count }, (_, stage) => (size / count) * (1 + 0.07 * stage));
    return unitOf(`u${index}`, stages(1), stages(2), stages(4));
  });
  const layouts = stageCounts.map((stageCount, group) => ({
    configuration: { intraOp: 1, stageCount },
    // The first group hosts all.
    units: [...units.keys()].filter((unit) => group === 0 || hosting[4 * unit + group]),
  }));
  const capacity = stageCounts.reduce((a, b) => a + b, 0);
  const loads = sizes.map((size) => ({ rate: (load * capacity) / sizes.length / size, cv }));
  const drawn = drawArrivals(steadyDemand(loads, 200), seed);
  // No two at one moment: their order would be the agenda's choice.
  const seconds = drawn.seconds.map((time, index) => time + index * 1e-6);
  const deadlineSeconds = sizes.map((size) => size * deadline);
  return { units, layouts, arrivals: { ...drawn, seconds }, deadlineSeconds };
}

type How = Pick<EventInput, "profile" | "dispatching" | "drawFactor">;

function runBoth(scene: Scene, how: How): readonly [Outcomes, Outcomes] {
  const input = inputOf(scene);
  const kernel = new Kernel({ ...input, ...how });
  kernel.run(input.layouts);
  return [kernel.outcomes, simulate({ ...input, ...how })];
}

/** Differences of attainment over many scenes. */
function differencesOf(how: How, some = scenes): readonly number[] {
  const differences: number[] = [];
  const property = fc.property(some, (scene) => {
    const [kernel, events] = runBoth(scene, how).map(
      ({ isGood }) => isGood.reduce((a, b) => a + b, 0) / Math.max(1, isGood.length),
    );
    differences.push(Math.abs((kernel ?? NaN) - (events ?? NaN)));
  });
  // One seed: these bounds hold for most scenes, not for every one.
  fc.assert(property, { numRuns: 60, seed: 1 });
  return differences;
}

function assertSmall(
  differences: readonly number[],
  bounds: { readonly worst: number; readonly mean: number },
): void {
  const worst = Math.max(...differences);
  const mean = differences.reduce((a, b) => a + b, 0) / differences.length;
  assert.ok(worst <= bounds.worst && mean <= bounds.mean, `worst ${worst}, mean ${mean}`);
}

describe("the kernel and the event simulator", () => {
  const delays = { receiveSeconds: 0.002, dispatchSeconds: 0.002, startSeconds: 0.004 };
  const profile = { ...idealProfile, ...delays, stagePenalty: 0.01, slackSeconds: 0.004 };

  test("are the same to the last bit where nothing takes time but the stages", () => {
    const how: How = { profile: { ...idealProfile, stagePenalty: 0.01 }, dispatching: "clocks" };
    fc.assert(
      fc.property(scenes, (scene) => {
        const [kernel, events] = runBoth(scene, how);
        assert.deepEqual(events, kernel);
      }),
      { numRuns: 40 },
    );
  });

  test("decide the same where requests are on the way for a while", () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const [kernel, events] = runBoth(scene, { profile, dispatching: "clocks" });
        assert.deepEqual(events.isGood, kernel.isGood);
        assert.deepEqual(events.groups, kernel.groups);
      }),
      { numRuns: 40 },
    );
  });

  test("differ little where stages take up to 5 % less or more than measured", () => {
    const random = new SeededRandom(1);
    const drawFactor = (): number => 0.95 + 0.1 * random.uniform();
    const differences = differencesOf({ profile, dispatching: "clocks", drawFactor });
    assertSmall(differences, { worst: 0.1, mean: 0.01 });
  });

  test("differ little where requests in flight are counted, over groups of one shape", () => {
    const alike = scenes.map((scene) => ({
      ...scene,
      stageCounts: scene.stageCounts.map(() => scene.stageCounts[0] ?? 1),
    }));
    const differences = differencesOf({ profile, dispatching: "in-flight" }, alike);
    assertSmall(differences, { worst: 0.25, mean: 0.03 });
  });
});
