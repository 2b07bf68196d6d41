import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alone, twoStages, unitOf } from "./exam-problem.ts";
import type { Cluster, Group } from "./placement.ts";
import { type planRules, verify } from "./verify.ts";

// Devices 0 and 1 hold one byte each, 2 and 3 two.
const cluster: Cluster = {
  nodes: [
    { name: "n0", deviceCount: 2, deviceBytes: 1 },
    { name: "n1", deviceCount: 2, deviceBytes: 2 },
  ],
  linkSeconds: 0,
};
const units = [unitOf("a", [1], [0.5, 0.5]), unitOf("b", [1])];
const good: readonly Group[] = [
  { devices: [0, 2], configuration: twoStages, units: ["a"] },
  { devices: [3], configuration: alone, units: ["a", "b"] },
];

function rulesOf(...groups: readonly Group[]): readonly string[] {
  return verify({ groups }, { units, cluster }).map(({ rule }) => rule);
}

describe("verify", () => {
  test("finds nothing against a plan that fits", () => {
    assert.deepEqual(rulesOf(...good), []);
    assert.deepEqual(rulesOf(), []);
  });

  const broken: Readonly<Record<keyof typeof planRules, readonly Group[]>> = {
    device: [{ devices: [4], configuration: alone, units: ["a"] }],
    disjoint: [...good, { devices: [3], configuration: alone, units: ["b"] }],
    size: [{ devices: [0], configuration: twoStages, units: ["a"] }],
    node: [{ devices: [1, 2], configuration: { intraOp: 2, stageCount: 1 }, units: [] }],
    unit: [{ devices: [0], configuration: alone, units: ["c"] }],
    once: [{ devices: [3], configuration: alone, units: ["a", "a"] }],
    profile: [{ devices: [0, 1], configuration: twoStages, units: ["b"] }],
    memory: [{ devices: [0], configuration: alone, units: ["a", "b"] }],
  };
  for (const [rule, groups] of Object.entries(broken))
    test(`names the rule "${rule}" and no other`, () => {
      assert.deepEqual(rulesOf(...groups), [rule]);
    });

  test("names every broken rule, with its group", () => {
    const groups: readonly Group[] = [
      { devices: [0], configuration: twoStages, units: ["b"] },
      { devices: [0], configuration: alone, units: ["a", "b", "c"] },
    ];
    const found = verify({ groups }, { units, cluster });
    assert.deepEqual(
      found.map(({ rule, group }) => [group, rule]),
      [
        [0, "size"],
        [0, "profile"],
        [1, "disjoint"],
        [1, "unit"],
        [1, "memory"],
      ],
    );
    assert.equal(found[4]?.message, "Cannot apply group 1: expected at most 1 bytes, got 2");
  });
});
