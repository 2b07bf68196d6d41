import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assignDevices, sameShape } from "./devices.ts";
import { alone, twoStages } from "./exam-problem.ts";
import type { Configuration } from "./placement.ts";

const cluster = {
  nodes: [
    { name: "n0", deviceCount: 4, deviceBytes: 8 },
    { name: "n1", deviceCount: 3, deviceBytes: 6 },
  ],
  linkSeconds: 0.1,
};
const all = [0, 1, 2, 3, 4, 5, 6];

function devicesOf(...shape: Configuration[]): readonly (readonly number[])[] | undefined {
  return assignDevices(shape, all, cluster)?.map(({ devices }) => devices);
}

describe("assignDevices", () => {
  test("large groups choose first, and stay within the fullest node that has room", () => {
    const four = { intraOp: 1, stageCount: 4 };
    assert.deepEqual(devicesOf(alone, twoStages, four), [[6], [4, 5], [0, 1, 2, 3]]);
  });

  test("a pipeline may go from node to node, which its stages pay for", () => {
    const long = { intraOp: 2, stageCount: 3 };
    const [group] = assignDevices([long], all, cluster) ?? [];
    assert.deepEqual(group?.devices, [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(group?.linkSeconds, [0, 0, 0.1]);
    assert.equal(group?.deviceBytes, 6);
  });

  test("a stage never lies in two nodes", () => {
    assert.equal(devicesOf({ intraOp: 5, stageCount: 1 }), undefined);
    assert.equal(
      devicesOf({ intraOp: 3, stageCount: 1 }, { intraOp: 4, stageCount: 1 })?.length,
      2,
    );
    assert.equal(devicesOf(twoStages, twoStages, twoStages, twoStages), undefined);
  });

  test("only free devices are given", () => {
    assert.deepEqual(
      assignDevices([alone, alone], [1, 5], cluster)?.map(({ devices }) => devices),
      [[1], [5]],
    );
  });
});

test("what a shape leaves over goes to smaller groups, pipelines first", () => {
  const wide = { intraOp: 2, stageCount: 1 };
  const four = { intraOp: 1, stageCount: 4 };
  assert.deepEqual(sameShape(four, 7, [alone, wide, twoStages, four]), [four, twoStages, alone]);
  assert.deepEqual(sameShape(four, 7, [wide, four]), [four, wide]);
});
