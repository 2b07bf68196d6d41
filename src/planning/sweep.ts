/** What if: one thing about a scenario changes, and the methods plan anew for each value. */
import { limits } from "../foundation/limits.ts";
import { meanCvOf, scaled, totalRateOf } from "./demands.ts";
import { deviceCountOf, withDevices } from "./fleet.ts";
import type { Method } from "./methods.ts";
import { planningOf, type Scenario, trialOf } from "./planning.ts";

export const axisNames = ["rate", "cv", "slo", "devices"] as const;

export type AxisName = (typeof axisNames)[number];

export interface Axis {
  readonly name: AxisName;
  /** The title of the values, with their unit. */
  readonly title: string;
  /** The scenario's own value. */
  readonly base: number;
  /** Ascending. */
  readonly values: readonly number[];
}

/** Attainment of one method at each value of an axis; fewer values if it was stopped. */
export interface Curve {
  readonly method: string;
  readonly attainments: readonly number[];
}

export interface Sweep {
  readonly axis: Axis;
  readonly curves: readonly Curve[];
}

const defaultFactors: Readonly<Record<AxisName, readonly number[]>> = {
  rate: [0.25, 0.5, 0.75, 1, 1.5, 2],
  cv: [0.5, 1, 1.5, 2, 3],
  slo: [0.3, 0.6, 1, 1.5, 2, 3],
  devices: [0.25, 0.5, 0.75, 1, 1.5, 2],
};

/** An axis with the given values, or those around the scenario's own. */
export function axisOf(scenario: Scenario, name: AxisName, given?: readonly number[]): Axis {
  const { title, base } = measureOf(scenario, name);
  const isWhole = name === "devices";
  const valueMax = name === "cv" ? limits.planCvMax : Infinity;
  const around = defaultFactors[name].map((factor) => {
    const value = Math.min(base * factor, valueMax);
    return isWhole ? Math.max(1, Math.round(value)) : value;
  });
  const values = [...new Set(given ?? around)].toSorted((a, b) => a - b);
  return { name, title, base, values };
}

function measureOf(scenario: Scenario, name: AxisName): Pick<Axis, "title" | "base"> {
  const { demand, deadlineSeconds, sloScale, fleet } = scenario;
  switch (name) {
    case "rate":
      return { title: "requests per second", base: totalRateOf(demand) };
    case "cv":
      return { title: "coefficient of variation", base: meanCvOf(demand.loads.flat()) };
    case "slo":
      if (sloScale !== undefined)
        return { title: "deadline, times the latency alone", base: sloScale };
      return {
        title: "deadline in seconds",
        base: deadlineSeconds.reduce((a, b) => a + b, 0) / deadlineSeconds.length,
      };
    case "devices":
      return { title: "devices", base: deviceCountOf(fleet) };
  }
}

/**
 * The scenario with the axis at this value. A trace is replayed, faster for a greater rate; where
 * its burstiness changes, it gives way to what was fitted to it.
 */
export function variantOf(scenario: Scenario, { name, base }: Axis, value: number): Scenario {
  const { history, ...rest } = scenario;
  const factor = base === 0 ? 1 : value / base;
  switch (name) {
    case "rate":
      return {
        ...rest,
        demand: scaled(scenario.demand, { rate: factor }),
        ...(history && {
          history: { ...history, seconds: history.seconds.map((s) => s / factor) },
        }),
      };
    case "cv":
      return { ...rest, demand: scaled(scenario.demand, { cv: factor }) };
    case "slo":
      return { ...scenario, deadlineSeconds: scenario.deadlineSeconds.map((s) => s * factor) };
    case "devices":
      return { ...scenario, fleet: withDevices(scenario.fleet, value) };
  }
}

/** Runs until `isOver`; the value at which it was stopped is left out. */
export async function sweep(
  scenario: Scenario,
  axis: Axis,
  { methods, isOver, onPoint }: SweepOptions,
): Promise<Sweep> {
  const attainments = methods.map((): number[] => []);
  for (const value of axis.values) {
    const variant = variantOf(scenario, axis, value);
    const [planning, trial] = [planningOf(variant), trialOf(variant)];
    const found: number[] = [];
    for (const method of methods) {
      if (isOver()) break;
      found.push(await method.attain(planning, trial));
    }
    if (isOver()) break;
    for (const [index, attainment] of found.entries()) attainments[index]?.push(attainment);
    onPoint(value);
  }
  const curves = methods.map(({ name }, index) => ({
    method: name,
    attainments: attainments[index] ?? [],
  }));
  return { axis, curves };
}

export interface SweepOptions {
  readonly methods: readonly Method[];
  readonly isOver: () => boolean;
  readonly onPoint: (value: number) => void;
}
