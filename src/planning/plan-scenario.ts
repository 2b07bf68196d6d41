/**
 * What `strata plan` does once its files are read: the search, other methods beside it, what if,
 * and the cheapest nodes. It may be stopped at any time and then has what it has.
 */
import type { Plan } from "../placement/placement.ts";
import type { SearchOptions } from "../placement/search/search.ts";
import { cheapest, type Mix } from "./cheapest.ts";
import { type Method, ownName, type RunSearch, searching } from "./methods.ts";
import { planningOf, type Scenario, trialOf } from "./planning.ts";
import { type Axis, sweep, type Sweep } from "./sweep.ts";
import { judgePlan, type Verdict } from "./verdict.ts";

export interface PlanRun {
  readonly runSearch: RunSearch;
  readonly search: Pick<SearchOptions, "clock" | "seconds" | "signal">;
  /** What our plan is compared with. */
  readonly baselines: readonly Method[];
  readonly axes: readonly Axis[];
  readonly findsCheapest: boolean;
  /** It is called as soon as there is a plan. */
  readonly onPlan: (plan: Plan) => Promise<void>;
  readonly onStep: (step: PlanStep) => void;
}

export interface PlanStep {
  readonly step: "search" | "compare" | "what if" | "cheapest";
  /** The share of all, in [0, 1]. */
  readonly doneShare: number;
  readonly text: string;
}

export interface PlanResult {
  readonly plan: Plan;
  readonly verdict: Verdict;
  /** Share of requests in time by each method, ours first. */
  readonly methods: readonly { readonly name: string; readonly attainment: number }[];
  readonly sweeps: readonly Sweep[];
  /** The mixes in the order in which they were tried. */
  readonly mixes: readonly Mix[];
  readonly cheapest: Mix | undefined;
  /** Whether it was stopped, and left something out. */
  readonly isInterrupted: boolean;
}

/** Rounds of local search, where many plans are made. */
const quickRoundCount = 2;
/** The work of the search over that of one value of an axis. */
const searchWeight = 5;

export async function planScenario(scenario: Scenario, run: PlanRun): Promise<PlanResult> {
  const { axes, baselines, runSearch } = run;
  const { seed } = scenario;
  const isOver = (): boolean => run.search.signal?.aborted === true;
  const pointCount = axes.reduce((sum, { values }) => sum + values.length, 0);
  const steps = new Steps(run, searchWeight + baselines.length + pointCount);
  const [planning, trial] = [planningOf(scenario), trialOf(scenario)];
  const { plan } = await runSearch(planning, {
    ...run.search,
    ...{ seed, trial },
    onProgress: ({ goodCount, requestCount, doneShare }) =>
      steps.show("search", shareText(goodCount / Math.max(1, requestCount)), {
        extra: searchWeight * doneShare,
      }),
  });
  await run.onPlan(plan);
  steps.done(searchWeight);
  const verdict = judgePlan(plan, planning, { trial });
  const methods = [{ name: ownName, attainment: verdict.attainment }];
  for (const { name, attain } of baselines) {
    if (isOver()) break;
    const attainment = await attain(planning, trial);
    if (isOver()) break;
    methods.push({ name, attainment });
    steps.done(1);
    steps.show("compare", name);
  }
  const quick = searching(runSearch, {
    ...run.search,
    seed,
    roundCount: quickRoundCount,
    seconds: (run.search.seconds ?? Infinity) / Math.max(1, pointCount),
  });
  const sweeps: Sweep[] = [];
  for (const axis of axes) {
    const onPoint = (value: number): void => {
      steps.done(1);
      steps.show("what if", `${Number(value.toPrecision(3))} ${axis.title}`);
    };
    sweeps.push(await sweep(scenario, axis, { methods: [quick, ...baselines], isOver, onPoint }));
  }
  const mixes: Mix[] = [];
  const onMix = (mix: Mix): void => {
    mixes.push(mix);
    steps.show("cheapest", shareText(mix.attainment));
  };
  const found = run.findsCheapest
    ? await cheapest(scenario, { method: quick, isOver, onMix })
    : undefined;
  return { plan, verdict, methods, sweeps, mixes, cheapest: found, isInterrupted: isOver() };
}

function shareText(attainment: number): string {
  return `${(100 * attainment).toFixed(2)} % in time`;
}

/** Counts what is done. */
class Steps {
  readonly #run: PlanRun;
  readonly #total: number;
  #count = 0;

  constructor(run: PlanRun, total: number) {
    this.#run = run;
    this.#total = total;
  }

  done(count: number): void {
    this.#count += count;
  }

  show(step: PlanStep["step"], text: string, { extra } = { extra: 0 }): void {
    this.#run.onStep({ step, text, doneShare: (this.#count + extra) / this.#total });
  }
}
