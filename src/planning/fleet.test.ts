import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { devicesOf } from "../placement/devices.ts";
import { clusterFile } from "./exam-files.ts";
import {
  clusterOf,
  deviceCountOf,
  type Fleet,
  mixesOf,
  parseFleet,
  pricePerHourOf,
  withDevices,
} from "./fleet.ts";

const g8 = { type: "g8", count: 1, deviceCount: 8, deviceBytes: 2e9, pricePerHour: 10 };
const g2 = { type: "g2", count: 2, deviceCount: 2, deviceBytes: 1e9, pricePerHour: 3 };
const fleet: Fleet = { nodes: [{ ...g2, countMax: 2 }, g8], linkSeconds: 0 };

describe("parseFleet", () => {
  const parse = (value: unknown) => parseFleet(JSON.stringify(value), "c.json");

  test("counts its devices, and what they cost", () => {
    const parsed = parse({ nodes: [g2, g8] });
    assert.equal(deviceCountOf(parsed), 12);
    assert.equal(pricePerHourOf(parsed), 16);
    assert.equal(parsed.linkSeconds, 0);
    const { nodes } = clusterOf(parsed);
    assert.deepEqual(
      nodes.map(({ name }) => name),
      ["g2-1", "g2-2", "g8-1"],
    );
  });

  test("has no price where a type that is used has none", () => {
    const { pricePerHour: _, ...free } = g8;
    assert.equal(pricePerHourOf(parse({ nodes: [g2, free] })), undefined);
    assert.equal(pricePerHourOf(parse({ nodes: [g2, { ...free, count: 0 }] })), 6);
  });

  for (const [name, value, message] of [
    ["no device", { nodes: [{ ...g2, count: 0 }] }, /nodes: expected a device/],
    ["too many devices", { nodes: [{ ...g2, count: 5001 }] }, /nodes: expected at most 10000/],
    ["one type twice", { nodes: [g2, g2] }, /nodes: expected distinct types/],
    ["memory of nothing", { nodes: [{ ...g2, deviceBytes: 0 }] }, /nodes\[0\]\.deviceBytes: .*>0/],
    [
      "a price as a text",
      { nodes: [{ ...g2, pricePerHour: "3" }] },
      /pricePerHour: expected number/,
    ],
    ["a negative link", { ...clusterFile, linkSeconds: -1 }, /linkSeconds: .*>=0/],
  ] as const)
    test(`names the place of ${name}`, () => {
      assert.throws(() => parse(value), { code: "INVALID_ARGUMENT", message });
    });
});

test("so many devices: whole nodes of the first type, and one in part that is paid whole", () => {
  const five = withDevices(fleet, 5);
  assert.deepEqual(
    devicesOf(clusterOf(five)).map(({ node }) => node),
    [0, 0, 1, 1, 2],
  );
  assert.equal(pricePerHourOf(five), 9);
  assert.equal(deviceCountOf(withDevices(fleet, 4)), 4);
  assert.equal(deviceCountOf(withDevices(fleet, 1)), 1);
});

test("every choice of nodes, cheapest first", () => {
  assert.deepEqual(
    mixesOf(fleet).map((mix) => [pricePerHourOf(mix), ...mix.nodes.map(({ count }) => count)]),
    [
      [3, 1, 0],
      [6, 2, 0],
      [10, 0, 1],
      [13, 1, 1],
      [16, 2, 1],
    ],
  );
});
