/**
 * Planning: what a person hands in, models, a trace or rates, a fleet and an objective, becomes a
 * scenario, and a scenario becomes what `placement/` searches with. Files come in as text and
 * leave as text; everything here is a value.
 */
import { drawArrivals } from "../placement/demand.ts";
import type { Planning } from "../placement/judge.ts";
import type { Arrivals, Demand, SimulationProfile, Unit } from "../placement/placement.ts";
import { clusterOf, type Fleet } from "./fleet.ts";

/** All that a plan is made for, and judged by. */
export interface Scenario {
  readonly units: readonly Unit[];
  readonly fleet: Fleet;
  /** The time from arrival to answer, of each unit in order. */
  readonly deadlineSeconds: readonly number[];
  /** The factor, when deadlines are so many times what a request takes alone. */
  readonly sloScale?: number;
  /** Share of all requests to be answered in time. */
  readonly attainment: number;
  readonly demand: Demand;
  /** The trace itself, where there is one and it is not scaled. */
  readonly history?: Arrivals;
  readonly simulation: SimulationProfile;
  readonly isBatching: boolean;
  readonly seed: number;
}

/** What the searches get: they see the trace, or arrivals that are drawn from the demand. */
export function planningOf(scenario: Scenario): Planning {
  const { units, fleet, deadlineSeconds, attainment, isBatching } = scenario;
  const objective = { deadlineSeconds, attainment };
  return {
    problem: { units, cluster: clusterOf(fleet), objective },
    arrivals: scenario.history ?? drawArrivals(scenario.demand, scenario.seed),
    profile: scenario.simulation,
    isBatching,
  };
}

/** What a plan is judged by: the trace, or arrivals of the demand that no search has seen. */
export function trialOf({ history, demand, seed }: Scenario): Arrivals {
  return history ?? drawArrivals(demand, seed + 1);
}
