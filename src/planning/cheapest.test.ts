import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cheapest, type Mix, nameOfFleet } from "./cheapest.ts";
import { smallScenario } from "./exam-scenario.ts";
import type { Fleet } from "./fleet.ts";
import type { Method } from "./methods.ts";

const node = { deviceBytes: 1e9, count: 0 };
const fleet: Fleet = {
  linkSeconds: 0,
  nodes: [
    { ...node, type: "small", deviceCount: 1, countMax: 40, pricePerHour: 2 },
    { ...node, type: "large", deviceCount: 4, countMax: 3, pricePerHour: 6 },
  ],
};

/** Attains by devices alone, a hundredth for each. */
const byDevices: Method = {
  name: "by devices",
  attain: ({ problem: { cluster } }) =>
    Promise.resolve(cluster.nodes.reduce((sum, { deviceCount }) => sum + deviceCount, 0) / 100),
};

async function find(
  { nodes }: Pick<Fleet, "nodes">,
  deviceCount: number,
): Promise<{ best: Mix | undefined; tried: readonly Mix[] }> {
  const tried: Mix[] = [];
  const scenario = { ...smallScenario, attainment: deviceCount / 100, fleet: { ...fleet, nodes } };
  const best = await cheapest(scenario, {
    method: byDevices,
    isOver: () => false,
    onMix: (mix) => tried.push(mix),
  });
  return { best, tried };
}

describe("cheapest", () => {
  test("of one type, by halving", async () => {
    const { best, tried } = await find({ nodes: fleet.nodes.slice(0, 1) }, 13);
    assert.equal(best && nameOfFleet(best.fleet), "13 × small");
    assert.ok(tried.length <= 6, `${tried.length} tried`);
  });

  test("of two types, the mix with the least price", async () => {
    // 9 devices: two large ones and a small one cost 14, nine small ones 18, three large ones 18.
    const { best, tried } = await find(fleet, 9);
    assert.equal(best && nameOfFleet(best.fleet), "1 × small + 2 × large");
    assert.ok(tried.length < 40, `${tried.length} tried`);
  });

  test("none if nothing that can be had reaches the objective", async () => {
    const { best, tried } = await find({ nodes: fleet.nodes.slice(1) }, 13);
    assert.equal(best, undefined);
    assert.equal(tried.at(-1)?.attainment, 0.12);
  });

  test("needs a price for every type, and not too many choices", async () => {
    const free = { ...node, type: "free", deviceCount: 1 };
    await assert.rejects(find({ nodes: [free] }, 1), {
      code: "INVALID_ARGUMENT",
      message: /"free" has no pricePerHour/,
    });
    const many = fleet.nodes.map((one) => ({ ...one, countMax: 999 }));
    await assert.rejects(find({ nodes: many }, 1), { code: "TOO_LARGE", message: /got 1000000/ });
  });
});
