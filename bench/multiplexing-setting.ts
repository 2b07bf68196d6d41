/** One burstiness and split of the load: both plans carried out and simulated, same arrivals. */
import { systemClock } from "../src/foundation/clock.ts";
import { drawArrivals, mergeArrivals, steadyDemand } from "../src/placement/demand.ts";
import { type EventInput, simulate } from "../src/placement/simulators/events.ts";
import { layoutsOf } from "../src/placement/simulators/kernel.ts";
import type { Arrivals, Outcomes, Plan, Unit } from "../src/placement/placement.ts";
import { reportOf } from "../src/placement/report.ts";
import {
  type Calibration,
  calibrate,
  fixedSecondsOf,
  median,
  overheadsOf,
  realism,
  realismOf,
} from "./multiplexing-calibration.ts";
import { execute, type Served } from "./multiplexing-dispatcher.ts";
import type { LivePlan, PlanName, Scene } from "./multiplexing-scene.ts";

export interface Setting {
  readonly cv: number;
  /** Shares of the rate, by unit. */
  readonly shares: readonly number[];
  /** How long requests arrive. */
  readonly seconds: number;
  readonly seed: number;
}

export interface Figures {
  readonly attainment: number;
  /** The mean over the requests that were answered in time. */
  readonly meanSeconds: number;
}

export interface PlanResult {
  readonly measured: Figures;
  /** What the simulator says with the stages' times as they were while it ran. */
  readonly simulated: Figures;
  /** What the simulator says from the calibration alone. */
  readonly foretold: Figures;
  readonly calibration: Calibration;
  /** Median of what stages took while it ran, over the calibrated: how steady the machine was. */
  readonly drift: number;
}

export interface SettingResult extends Setting {
  readonly requestCount: number;
  readonly deadlineSeconds: number;
  readonly plans: Readonly<Record<PlanName, PlanResult>>;
}

/** The load, as a share of what one device serves if each unit had half of it. */
const utilisation = 0.5;
/** The deadline over the time of a request on one device. */
const deadlineScale = 10;
/**
 * The share of the deadline that admission keeps in reserve for runs that take longer than most.
 */
const reserveShare = 0.1;
const simulationCount = 20;
const calibrationCount = 5;

export async function runSetting(scene: Scene, setting: Setting): Promise<SettingResult> {
  const { live } = scene;
  const [replicas, pipeline] = [
    await calibratePlan(scene, live.replicas),
    await calibratePlan(scene, live.pipeline),
  ];
  const serviceSeconds = median(replicas.stageSeconds.flat());
  const deadlineSeconds = deadlineScale * serviceSeconds;
  const arrivals = exactArrivals(setting, (2 * utilisation) / serviceSeconds);
  const run = (plan: LivePlan, calibration: Calibration): Promise<PlanResult> =>
    runPlan({ scene, plan, calibration, arrivals, deadlineSeconds });
  return {
    ...setting,
    requestCount: arrivals.seconds.length,
    deadlineSeconds,
    plans: {
      replicas: await run(live.replicas, replicas),
      pipeline: await run(live.pipeline, pipeline),
    },
  };
}

function calibratePlan(
  { profile, problem, ids }: Scene,
  { groups }: LivePlan,
): Promise<Calibration> {
  const { wholeSeconds = 0 } = profile.times[0] ?? {};
  return calibrate({
    ...{ groups, ids, clock: systemClock, unitCount: problem.units.length },
    requestCount: calibrationCount,
    gapSeconds: 2 * wholeSeconds,
  });
}

/** A Gamma process of each unit, scaled to bring exactly its share of the rate. */
function exactArrivals({ cv, shares, seconds, seed }: Setting, rate: number): Arrivals {
  const ofUnits = shares.map((share, unit) => {
    const count = Math.max(2, Math.round(share * rate * seconds));
    const load = { rate: share * rate, cv };
    // Long enough to hold so many, however bursty.
    const drawn = drawArrivals(steadyDemand([load], 50 * seconds), 100 * seed + unit);
    const own = drawn.seconds.slice(0, count);
    return own.map((time) => (time * seconds) / (own.at(-1) ?? 1));
  });
  return mergeArrivals(ofUnits);
}

interface PlanRun {
  readonly scene: Scene;
  readonly plan: LivePlan;
  readonly calibration: Calibration;
  readonly arrivals: Arrivals;
  readonly deadlineSeconds: number;
}

async function runPlan(options: PlanRun): Promise<PlanResult> {
  const { scene, plan, calibration, arrivals } = options;
  const { stageSeconds } = calibration;
  const deadlineSeconds = scene.problem.units.map(() => options.deadlineSeconds);
  const profile = overheadsOf(calibration, reserveShare * options.deadlineSeconds);
  const { groups } = plan;
  const { ids } = scene;
  const { outcomes, served } = await execute({
    ...{ groups, ids, arrivals, deadlineSeconds, stageSeconds, profile, clock: systemClock },
  });
  const units = calibratedUnits(scene, plan.plan, calibration);
  const layouts = layoutsOf(plan.plan, { ...scene.problem, units });
  const input = { units, layouts, arrivals, deadlineSeconds, profile };
  const simulated = (how: Partial<EventInput>): Figures =>
    figuresOf(arrivals, simulate({ ...input, ...how, dispatching: "clocks" }));
  const draws = Array.from({ length: simulationCount }, (_, seed) =>
    simulated(realism(calibration, seed)),
  );
  return {
    measured: figuresOf(arrivals, outcomes),
    simulated: simulated({
      ...realismOf(served, calibration),
      startSeconds: fixedSecondsOf(served),
    }),
    foretold: {
      attainment: mean(draws.map(({ attainment }) => attainment)),
      meanSeconds: mean(draws.map(({ meanSeconds }) => meanSeconds)),
    },
    calibration,
    drift: median(served.flatMap((request) => driftsOf(request, calibration))),
  };
}

/** The units as they were calibrated on the plan. */
function calibratedUnits(scene: Scene, plan: Plan, { stageSeconds }: Calibration): readonly Unit[] {
  return scene.problem.units.map((unit, index) => ({
    ...unit,
    profiles: plan.groups
      .filter(({ units }) => units.includes(unit.name))
      .map(({ configuration }) => ({
        ...{ configuration, stageBytes: [] },
        latencies: [
          { batchSize: 1, tokenCount: unit.tokenCount, stageSeconds: stageSeconds[index] ?? [] },
        ],
      })),
  }));
}

function driftsOf({ unit, busySeconds }: Served, { stageSeconds }: Calibration): readonly number[] {
  return busySeconds.map((seconds, stage) => seconds / (stageSeconds[unit]?.[stage] ?? NaN));
}

function figuresOf(arrivals: Arrivals, outcomes: Outcomes): Figures {
  const counts = { unitCount: 2, groupCount: 2 };
  const { attainment, meanSeconds } = reportOf(arrivals, outcomes, counts);
  return { attainment, meanSeconds };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
