/** What a simulator says of a plan in a scenario: in all, by model and by group. */
import { simulateBatching } from "../placement/simulators/batching.ts";
import { type Dispatching, simulate } from "../placement/simulators/events.ts";
import type { Planning } from "../placement/judge.ts";
import { Kernel, layoutsOf } from "../placement/simulators/kernel.ts";
import type { Arrivals, Outcomes, Plan, Report } from "../placement/placement.ts";
import { reportOf } from "../placement/report.ts";

/** The score of one model, one group, or all. */
export type Score = Omit<Report, "units" | "groups">;

export interface Verdict extends Score {
  /** Scores in the units' order. */
  readonly models: readonly (Score & { readonly name: string })[];
  /** Scores in the plan's order. */
  readonly groups: readonly Score[];
}

/** The plan must break no rule of `verify`. By the event simulator if a dispatching is named. */
export function judgePlan(
  plan: Plan,
  planning: Planning,
  { trial, dispatching }: { readonly trial: Arrivals; readonly dispatching?: Dispatching },
): Verdict {
  const { problem, profile, isBatching = false } = planning;
  const { units, objective } = problem;
  const { deadlineSeconds } = objective;
  const input = { units, deadlineSeconds, arrivals: trial, profile };
  const layouts = layoutsOf(plan, problem);
  if (isBatching) return verdictOf(plan, input, simulateBatching({ ...input, layouts }));
  if (dispatching !== undefined)
    return verdictOf(plan, input, simulate({ ...input, layouts, dispatching }));
  const kernel = new Kernel(input);
  kernel.run(layouts);
  return verdictOf(plan, input, kernel.outcomes);
}

function verdictOf(
  { groups }: Plan,
  { units, arrivals }: { units: Planning["problem"]["units"]; arrivals: Arrivals },
  outcomes: Outcomes,
): Verdict {
  const ofUnits = split(arrivals, outcomes, { keys: arrivals.units, count: units.length });
  const ofGroups = split(arrivals, outcomes, { keys: outcomes.groups, count: groups.length });
  return {
    ...scoreOf({ arrivals, outcomes }),
    models: ofUnits.map((part, unit) => ({ name: units[unit]?.name ?? "", ...scoreOf(part) })),
    groups: ofGroups.map(scoreOf),
  };
}

interface Part {
  readonly arrivals: Arrivals;
  readonly outcomes: Outcomes;
}

/** Splits by the key of each request; those with keys outside [0, count) are left out. */
function split(
  { seconds, units }: Arrivals,
  { isGood, finishSeconds, groups }: Outcomes,
  { keys, count }: { readonly keys: ArrayLike<number>; readonly count: number },
): readonly Part[] {
  const requests = Array.from({ length: count }, (): number[] => []);
  for (let request = 0; request < keys.length; request++)
    requests[keys[request] ?? -1]?.push(request);
  return requests.map((own) => ({
    arrivals: {
      seconds: Float64Array.from(own, (request) => seconds[request] ?? 0),
      units: Uint32Array.from(own, (request) => units[request] ?? 0),
    },
    outcomes: {
      isGood: Uint8Array.from(own, (request) => isGood[request] ?? 0),
      finishSeconds: Float64Array.from(own, (request) => finishSeconds[request] ?? 0),
      groups: Int32Array.from(own, (request) => groups[request] ?? 0),
    },
  }));
}

function scoreOf({ arrivals, outcomes }: Part): Score {
  const size = { unitCount: 0, groupCount: 0 };
  const { units: _, groups: __, ...score } = reportOf(arrivals, outcomes, size);
  return score;
}
