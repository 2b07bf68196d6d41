/**
 * What stages take on the processes of a plan, measured through the dispatcher right before it is
 * used: each request alone, then all devices at work. Cores of one machine may slow each other, so
 * both are told.
 */
import { SeededRandom } from "../src/foundation/random.ts";
import type { EventInput } from "../src/placement/simulators/events.ts";
import { idealProfile, type SimulationProfile } from "../src/placement/placement.ts";
import { execute, type ExecuteInput, type Served } from "./multiplexing-dispatcher.ts";

export interface Calibration {
  /** Medians with all devices at work, [unit][stage]. */
  readonly stageSeconds: readonly (readonly number[])[];
  /** Speed of a stage that works alone, over that beside others. */
  readonly speedAlone: number;
  /** What single runs took over their medians. */
  readonly factors: readonly number[];
  /** Latency of a lone request outside its stages. */
  readonly fixedSeconds: number;
}

export interface CalibrationOptions extends Pick<ExecuteInput, "groups" | "ids" | "clock"> {
  readonly unitCount: number;
  /** The requests of each unit, alone and together. */
  readonly requestCount: number;
  /** Longer than a request takes. */
  readonly gapSeconds: number;
}

export async function calibrate(options: CalibrationOptions): Promise<Calibration> {
  const { unitCount, gapSeconds } = options;
  const alone = await serve(options, gapSeconds);
  const together = await serve(options, 0);
  const units = Array.from({ length: unitCount }, (_, unit) => unit);
  const stageSeconds = units.map((unit) => mediansOf(together, unit));
  const aloneSeconds = units.map((unit) => mediansOf(alone, unit));
  const sum = (all: typeof stageSeconds): number => all.flat().reduce((a, b) => a + b, 0);
  return {
    stageSeconds,
    speedAlone: sum(stageSeconds) / sum(aloneSeconds),
    factors: together.flatMap(({ unit, busySeconds }) =>
      busySeconds.map((seconds, stage) => seconds / (stageSeconds[unit]?.[stage] ?? NaN)),
    ),
    fixedSeconds: fixedSecondsOf(alone),
  };
}

/** Requests of all units in turn. */
async function serve(
  { groups, ids, clock, unitCount, requestCount }: CalibrationOptions,
  gapSeconds: number,
): Promise<readonly Served[]> {
  const count = unitCount * requestCount;
  const { served } = await execute({
    ...{ groups, ids, clock, profile: idealProfile },
    arrivals: {
      seconds: Float64Array.from({ length: count }, (_, request) => request * gapSeconds),
      units: Uint32Array.from({ length: count }, (_, request) => request % unitCount),
    },
    deadlineSeconds: Array.from({ length: unitCount }, () => Infinity),
    stageSeconds: Array.from({ length: unitCount }, () => []),
  });
  return served;
}

/** [stage] */
function mediansOf(served: readonly Served[], unit: number): readonly number[] {
  const own = served.filter((request) => request.unit === unit);
  const stages = own[0]?.busySeconds ?? [];
  return stages.map((_, stage) => median(own.map(({ busySeconds }) => busySeconds[stage] ?? NaN)));
}

export function fixedSecondsOf(served: readonly Served[]): number {
  return Math.max(0, median(served.map(({ fixedSeconds }) => fixedSeconds)));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? NaN;
}

/** What the dispatcher and the simulator both reckon with; a share of deadlines is in reserve. */
export function overheadsOf(
  { fixedSeconds }: Calibration,
  reserveSeconds: number,
): SimulationProfile {
  return {
    ...idealProfile,
    name: "calibrated",
    startSeconds: fixedSeconds,
    slackSeconds: fixedSeconds + reserveSeconds,
  };
}

/** How the simulator's work differs from its medians: jitter as seen, and speed when alone. */
export function realism(
  { factors, speedAlone }: Calibration,
  seed: number,
): Pick<EventInput, "drawFactor" | "speedOf"> {
  const random = new SeededRandom(seed);
  return {
    drawFactor: () => factors[random.integer(factors.length)] ?? 1,
    speedOf: (busyCount) => (busyCount > 1 ? 1 : speedAlone),
  };
}

/** The stages' work as it was in a run, the first run of a stage first; its medians afterwards. */
export function realismOf(
  served: readonly Served[],
  { stageSeconds }: Calibration,
): Pick<EventInput, "drawFactor"> {
  const factors = new Map<string, number[]>();
  for (const { unit, group, busySeconds } of served)
    for (const [stage, seconds] of busySeconds.entries()) {
      const key = `${group}/${stage}`;
      const own = factors.get(key) ?? [];
      factors.set(key, own);
      own.push(seconds / (stageSeconds[unit]?.[stage] ?? NaN));
    }
  const medians = new Map([...factors].map(([key, own]) => [key, median(own)]));
  return {
    drawFactor: (group, stage) => {
      const key = `${group}/${stage}`;
      return factors.get(key)?.shift() ?? medians.get(key) ?? 1;
    },
  };
}
