/** Ways to plan that are compared: the search, and what it is to be better than. */
import { placeByRule, type RuleName, selectiveReplication } from "../placement/search/baselines.ts";
import { Judge, type Planning, planOf } from "../placement/judge.ts";
import type { Arrivals } from "../placement/placement.ts";
import { type ReplacementOptions, replacements } from "../placement/search/replacement.ts";
import type { SearchOptions, SearchResult } from "../placement/search/search.ts";
import { judgePlan } from "./verdict.ts";

export interface Method {
  readonly name: string;
  /** Plans, and tells which share of the trial is answered in time; nothing once stopped. */
  attain(planning: Planning, trial: Arrivals): Promise<number>;
}

export const ownName = "Strata";

/** `search` of `placement/`, in as many threads as there are. */
export type RunSearch = (planning: Planning, options: SearchOptions) => Promise<SearchResult>;

export function searching(runSearch: RunSearch, options: SearchOptions): Method {
  return {
    name: ownName,
    async attain(planning, trial) {
      const { plan } = await runSearch(planning, { ...options, trial });
      return judgePlan(plan, planning, { trial }).attainment;
    },
  };
}

/** Re-placement, as Clockwork++, replicates anew in every window, at no cost. */
export function baselinesOf({ windowSeconds, ...stop }: BaselineOptions): readonly Method[] {
  return [
    placing("selective replication"),
    placing("round robin"),
    replacing("re-placement", { windowSeconds, knows: "past" }, stop),
    replacing("re-placement, clairvoyant", { windowSeconds, knows: "future" }, stop),
  ];
}

export interface BaselineOptions extends Pick<SearchOptions, "clock" | "signal"> {
  readonly windowSeconds: number;
}

function placing(name: RuleName): Method {
  return {
    name,
    attain(planning, trial) {
      const { groups } = placeByRule(name, new Judge(planning));
      const { attainment } = judgePlan(planOf(groups, planning.problem), planning, { trial });
      return Promise.resolve(attainment);
    },
  };
}

function replacing(
  name: string,
  options: Omit<ReplacementOptions, "plan">,
  { clock, signal }: Omit<BaselineOptions, "windowSeconds">,
): Method {
  return {
    name,
    async attain(planning, trial) {
      const seen = { ...planning, arrivals: trial };
      const windows = replacements(seen, { ...options, plan: selectiveReplication });
      while (signal?.aborted !== true) {
        const { done, value: tally } = windows.next();
        if (done === true)
          return tally.requestCount === 0 ? 1 : tally.goodCount / tally.requestCount;
        // Whoever stops it has a turn.
        await new Promise<void>((resolve) => clock.schedule(0, resolve));
      }
      return 0;
    },
  };
}
