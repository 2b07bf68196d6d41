/**
 * Whether a plan can be applied: every rule that it breaks, by name. Pure; a plan that breaks none
 * fits the cluster's devices and memory and runs units only as they were profiled.
 */
import { type Device, devicesOf } from "./devices.ts";
import { type Group, groupBytes, type Plan, type Problem, profileOf } from "./placement.ts";

export const planRules = {
  device: "A device is one of the cluster's",
  disjoint: "A device belongs to one group at most",
  size: "A group has as many devices as its configuration takes",
  node: "The devices of one stage lie in one node",
  unit: "A unit is one of the problem's",
  once: "A unit is on a group once at most",
  profile: "A unit runs only in configurations that it has a profile of",
  memory: "The weights on a device fit into its memory",
} as const;

export interface Violation {
  readonly rule: keyof typeof planRules;
  /** Index into the plan's groups. */
  readonly group: number;
  readonly message: string;
}

/** The faults are in the order of the groups; there are none if the plan can be applied. */
export function verify(plan: Plan, { units, cluster }: Omit<Problem, "objective">): Violation[] {
  const devices = devicesOf(cluster);
  const taken = new Set<number>();
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const violations: Violation[] = [];
  for (const [index, group] of plan.groups.entries()) {
    const breaks = (rule: Violation["rule"], message: string): void => {
      violations.push({ rule, group: index, message: `Cannot apply group ${index}: ${message}` });
    };
    verifyDevices(group, { devices, taken, breaks });
    const placed = group.units.flatMap((name) => {
      const unit = byName.get(name);
      if (unit === undefined) breaks("unit", `unknown unit "${name}"`);
      return unit ?? [];
    });
    const isOnce = new Set(group.units).size === group.units.length;
    if (!isOnce) breaks("once", "expected distinct units");
    const unprofiled = placed.filter((unit) => profileOf(unit, group.configuration) === undefined);
    for (const unit of unprofiled) breaks("profile", `no profile of "${unit.name}"`);
    if (unprofiled.length > 0) continue;
    const bytes = groupBytes(placed, group.configuration);
    const bytesMax = Math.min(...group.devices.map((d) => devices[d]?.bytes ?? Infinity));
    if (bytes > bytesMax) breaks("memory", `expected at most ${bytesMax} bytes, got ${bytes}`);
  }
  return violations;
}

interface DeviceChecks {
  readonly devices: readonly Device[];
  /** Devices of the groups before; those of this one are added. */
  readonly taken: Set<number>;
  readonly breaks: (rule: Violation["rule"], message: string) => void;
}

function verifyDevices(group: Group, { devices, taken, breaks }: DeviceChecks): void {
  const { intraOp, stageCount } = group.configuration;
  if (group.devices.length !== intraOp * stageCount)
    breaks("size", `expected ${intraOp * stageCount} devices, got ${group.devices.length}`);
  for (const device of group.devices) {
    if (devices[device] === undefined) breaks("device", `unknown device ${device}`);
    if (taken.has(device)) breaks("disjoint", `device ${device} is taken`);
    taken.add(device);
  }
  for (let stage = 0; stage < stageCount; stage++) {
    const ofStage = group.devices.slice(stage * intraOp, (stage + 1) * intraOp);
    const nodes = new Set(ofStage.map((device) => devices[device]?.node));
    if (nodes.size > 1) breaks("node", `stage ${stage} lies in ${nodes.size} nodes`);
  }
}
