import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { StrataError } from "../foundation/errors.ts";
import { smallScenario } from "./exam-scenario.ts";
import { formatPlan, parsePlan } from "./plan-file.ts";

const plan = {
  groups: [
    { devices: [0, 1], configuration: { intraOp: 1, stageCount: 2 }, units: ["a", "b"] },
    { devices: [3], configuration: { intraOp: 1, stageCount: 1 }, units: ["b"] },
  ],
};
const text = formatPlan(plan, smallScenario);

describe("plan file", () => {
  test("what was written is read, with rates in place of the demand", async () => {
    const stored = await parsePlan(text, "plan.json");
    const { demand: _, seed: __, ...scenario } = smallScenario;
    assert.deepEqual(stored.plan, plan);
    assert.deepEqual(stored.scenario, scenario);
    assert.deepEqual(
      stored.models.map(({ load }) => load),
      [
        { rate: 4, cv: 3 },
        { rate: 2, cv: 3 },
      ],
    );
  });

  test("models of one profile share it", () => {
    assert.equal(text.match(/"stageSeconds"/g)?.length, 2);
  });

  for (const [name, from, to, message] of [
    ["another file", '"strata-plan"', '"plan"', /"plan.json": format: .*"strata-plan"/],
    ["an unknown device", '"devices": [\n        3', '"devices": [\n        4', /unknown device 4/],
    [
      "a device in two groups",
      '"devices": [\n        3',
      '"devices": [\n        1',
      /device 1 is taken/,
    ],
    ["too little memory", '"deviceBytes": 1000000000', '"deviceBytes": 999999999', /at most 9/],
    ["an unknown unit", '"units": [\n        "b"', '"units": [\n        "c"', /unknown unit "c"/],
    ["no deadline", '"deadlineSeconds": 0.4', '"cv": 1', /models\[0\]\.deadlineSeconds: expected/],
  ] as const)
    test(`names what is wrong: ${name}`, async () => {
      const broken = text.replace(from, to);
      assert.notEqual(broken, text);
      await assert.rejects(parsePlan(broken, "plan.json"), { code: "INVALID_ARGUMENT", message });
    });

  test("profiles stand in the plan itself", async () => {
    const value = { ...(JSON.parse(text) as object), profiles: { "profile-1": "a.json" } }; // ours
    await assert.rejects(
      parsePlan(JSON.stringify(value), "plan.json"),
      /profiles: expected objects, got "a.json"/,
    );
  });

  test("a plan with anything changed is read or refused, and never breaks", async () => {
    const places = [...text.matchAll(/[\w.]+|"[^"]*"/g)];
    const change = fc.tuple(fc.nat(places.length - 1), fc.jsonValue());
    await fc.assert(
      fc.asyncProperty(change, async ([index, value]) => {
        const place = places[index];
        const at = place?.index ?? 0;
        const rest = text.slice(at + (place?.[0].length ?? 0));
        const changed = `${text.slice(0, at)}${JSON.stringify(value)}${rest}`;
        await parsePlan(changed, "plan.json").catch((error: unknown) => {
          const isOurs = error instanceof StrataError;
          assert.ok(isOurs && error.code === "INVALID_ARGUMENT", String(error));
        });
      }),
      { numRuns: 300 },
    );
  });
});
