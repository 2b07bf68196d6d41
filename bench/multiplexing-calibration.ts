/**
 * What stages take on the processes of a plan, measured through the dispatcher right before it is
 * used: each request alone, then all devices at work. Cores of one machine may slow each other, so
 * both are told.
 */
import { SeededRandom } from "../src/foundation/random.ts";
import type { EventInput } from "../src/placement/events.ts";
import { idealProfile, type SimulationProfile } from "../src/placement/placement.ts";
import { execute, type ExecuteInput, type Served } from "./multiplexing-dispatcher.ts";

export interface Calibration {
  /** Medians with all devices at work, [unit][stage]. */
  readonly stageSeconds: readonly (readonly number[])[];
  /** Speed of a stage that works alone, over that beside others. */
  readonly speedAlone: number;
  /** What single runs took over their medians. */
  readonly factors: readonly number[];
  /** Latency of a lone request outside its stages: timers, dispatch, and pipes. */
  readonly fixedSeconds: number;
}

export interface CalibrationOptions extends Pick<ExecuteInput, "groups" | "ids" | "clock"> {
  readonly unitCount: number;
  /** Of each unit, alone and together. */
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
  const outside = alone.map(({ seconds, busySeconds }) => seconds - sum([busySeconds]));
  return {
    stageSeconds,
    speedAlone: sum(stageSeconds) / sum(aloneSeconds),
    factors: together.flatMap(({ unit, busySeconds }) =>
      busySeconds.map((seconds, stage) => seconds / (stageSeconds[unit]?.[stage] ?? NaN)),
    ),
    fixedSeconds: Math.max(0, median(outside)),
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
