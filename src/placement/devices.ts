/**
 * Devices for groups: a group stays within a node if one has room for it, and otherwise hands its
 * requests from node to node. The devices of one stage always lie in one node, as `verify` demands.
 */
import type { Cluster, Configuration } from "./placement.ts";

export interface Device {
  readonly node: number;
  readonly bytes: number;
}

/** All devices, by number. */
export function devicesOf({ nodes }: Pick<Cluster, "nodes">): readonly Device[] {
  return nodes.flatMap(({ deviceCount, deviceBytes }, node) =>
    Array.from({ length: deviceCount }, () => ({ node, bytes: deviceBytes })),
  );
}

/** What handing a request to each stage of a group costs beside what was measured. */
export function linkSecondsOf(
  devices: readonly number[],
  { intraOp, stageCount }: Configuration,
  cluster: Cluster,
): readonly number[] {
  const all = devicesOf(cluster);
  const nodeOf = (stage: number): number | undefined => all[devices[stage * intraOp] ?? -1]?.node;
  return Array.from({ length: stageCount }, (_, stage) =>
    stage > 0 && nodeOf(stage) !== nodeOf(stage - 1) ? cluster.linkSeconds : 0,
  );
}

export function sizeOf({ intraOp, stageCount }: Configuration): number {
  return intraOp * stageCount;
}

/** A group before units are put on it. */
export interface DeviceGroup {
  readonly configuration: Configuration;
  readonly devices: readonly number[];
  /** The least of its devices'. */
  readonly deviceBytes: number;
  /** [stageCount] */
  readonly linkSeconds: readonly number[];
}

/** A group for each configuration, in order, out of the free devices; undefined if none fit so. */
export function assignDevices(
  configurations: readonly Configuration[],
  free: readonly number[],
  cluster: Cluster,
): readonly DeviceGroup[] | undefined {
  const all = devicesOf(cluster);
  const pools = cluster.nodes.map((_, node) => free.filter((device) => all[device]?.node === node));
  const groups = new Map<number, DeviceGroup>();
  const order = [...configurations.entries()].toSorted(([, a], [, b]) => sizeOf(b) - sizeOf(a));
  for (const [index, configuration] of order) {
    const devices = takeWithin(pools, sizeOf(configuration)) ?? takeAcross(pools, configuration);
    if (devices === undefined) return undefined;
    const deviceBytes = Math.min(...devices.map((device) => all[device]?.bytes ?? 0));
    const linkSeconds = linkSecondsOf(devices, configuration, cluster);
    groups.set(index, { configuration, devices, deviceBytes, linkSeconds });
  }
  return configurations.flatMap((_, index) => groups.get(index) ?? []);
}

/** Takes from the fullest node that has room. */
function takeWithin(pools: readonly number[][], size: number): number[] | undefined {
  const roomy = pools.filter((pool) => pool.length >= size);
  return roomy.toSorted((a, b) => a.length - b.length)[0]?.splice(0, size);
}

/** Stage by stage, from the emptiest node when the one before has no room. */
function takeAcross(
  pools: readonly number[][],
  { intraOp, stageCount }: Configuration,
): number[] | undefined {
  const taken: number[] = [];
  let pool: number[] = [];
  for (let stage = 0; stage < stageCount; stage++) {
    if (pool.length < intraOp) pool = pools.reduce((a, b) => (b.length > a.length ? b : a));
    if (pool.length < intraOp) return undefined;
    taken.push(...pool.splice(0, intraOp));
  }
  return taken;
}

/**
 * Makes as many groups of one configuration as the devices allow; what is left over becomes groups
 * of the largest configurations that fit, pipelines first (AlpaServe, section 4.2.3).
 */
export function sameShape(
  configuration: Configuration,
  deviceCount: number,
  known: readonly Configuration[],
): readonly Configuration[] {
  const groupCount = Math.floor(deviceCount / sizeOf(configuration));
  const shape = Array.from({ length: groupCount }, () => configuration);
  const order = known.toSorted((a, b) => sizeOf(b) - sizeOf(a) || b.stageCount - a.stageCount);
  let left = deviceCount - groupCount * sizeOf(configuration);
  for (const candidate of order)
    for (; sizeOf(candidate) <= left; left -= sizeOf(candidate)) shape.push(candidate);
  return shape;
}
