/** The machines that can be had: a cluster as types of nodes with counts and prices. */
import { z } from "zod";
import { limits } from "../foundation/limits.ts";
import type { Cluster } from "../placement/placement.ts";
import { nameSchema, parseJson } from "./json-file.ts";

export interface NodeType {
  readonly type: string;
  readonly count: number;
  /** How many may be rented; `count` by default. */
  readonly countMax?: number | undefined;
  readonly deviceCount: number;
  /** Memory for weights on each device. */
  readonly deviceBytes: number;
  /** The price of one node. */
  readonly pricePerHour?: number | undefined;
}

export interface Fleet {
  readonly nodes: readonly NodeType[];
  readonly linkSeconds: number;
}

const nodeTypeSchema = z.strictObject({
  type: nameSchema,
  count: z.int().min(0).max(limits.planDeviceCountMax),
  countMax: z.int().min(0).max(limits.planDeviceCountMax).optional(),
  deviceCount: z.int().min(1).max(limits.planDeviceCountMax),
  deviceBytes: z.number().positive(),
  pricePerHour: z.number().min(0).optional(),
});

export const fleetSchema = z
  .strictObject({
    nodes: z.array(nodeTypeSchema).min(1).max(limits.planNodeTypeCountMax),
    linkSeconds: z.number().min(0).default(0),
  })
  .refine(({ nodes }) => new Set(nodes.map(({ type }) => type)).size === nodes.length, {
    error: "expected distinct types",
    path: ["nodes"],
  })
  .refine((fleet) => deviceCountOf(fleet) > 0, { error: "expected a device", path: ["nodes"] })
  .refine((fleet) => deviceCountOf(fleet) <= limits.planDeviceCountMax, {
    error: `expected at most ${limits.planDeviceCountMax} devices`,
    path: ["nodes"],
  });

/** `what` names the file in errors. */
export function parseFleet(text: string, what: string): Fleet {
  return parseJson(fleetSchema, text, what);
}

export function clusterOf({ nodes, linkSeconds }: Fleet): Cluster {
  return {
    nodes: nodes.flatMap(({ type, count, deviceCount, deviceBytes }) =>
      Array.from({ length: count }, (_, index) => {
        return { name: `${type}-${index + 1}`, deviceCount, deviceBytes };
      }),
    ),
    linkSeconds,
  };
}

export function deviceCountOf({ nodes }: Fleet): number {
  return nodes.reduce((sum, { count, deviceCount }) => sum + count * deviceCount, 0);
}

/** Undefined unless every type in use has a price. */
export function pricePerHourOf({ nodes }: Fleet): number | undefined {
  const used = nodes.filter(({ count }) => count > 0);
  if (used.some(({ pricePerHour }) => pricePerHour === undefined)) return undefined;
  return used.reduce((sum, { count, pricePerHour = 0 }) => sum + count * pricePerHour, 0);
}

/** So many devices on nodes of the first type; the last node is used in part, and paid whole. */
export function withDevices(fleet: Fleet, deviceCount: number): Fleet {
  const [first] = fleet.nodes;
  if (first === undefined) return fleet;
  const count = Math.floor(deviceCount / first.deviceCount);
  const rest = deviceCount % first.deviceCount;
  const whole = { ...first, count };
  const part = { ...first, type: `${first.type} in part`, count: 1, deviceCount: rest };
  const nodes = [whole, part].filter((node) => node.count > 0 && node.deviceCount > 0);
  return { ...fleet, nodes };
}

/** Every choice of nodes with at least one device, cheapest first. */
export function mixesOf(fleet: Fleet): readonly Fleet[] {
  const mixes = fleet.nodes.reduce<readonly (readonly NodeType[])[]>(
    (chosen, node) =>
      chosen.flatMap((before) =>
        Array.from({ length: (node.countMax ?? node.count) + 1 }, (_, count) => [
          ...before,
          { ...node, count },
        ]),
      ),
    [[]],
  );
  const price = (mix: Fleet): number => pricePerHourOf(mix) ?? Infinity;
  return mixes
    .map((nodes) => ({ ...fleet, nodes }))
    .filter((mix) => deviceCountOf(mix) > 0)
    .toSorted((a, b) => price(a) - price(b) || deviceCountOf(a) - deviceCountOf(b));
}

export function mixCountOf({ nodes }: Fleet): number {
  return nodes.reduce((product, { count, countMax = count }) => product * (countMax + 1), 1);
}
