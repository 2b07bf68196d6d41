/**
 * Claim `multiplexing`: two models on two devices that hold one model each, once a model on a
 * device and once both on a pipeline over both devices. Real processes carry out the plans, and the
 * event simulator is asked for the same from what their stages took.
 */
import { availableParallelism } from "node:os";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, round } from "./measure.ts";
import { openScene, type PlanName, precision, type Scene } from "./multiplexing-scene.ts";
import {
  type Figures,
  type PlanResult,
  runSetting,
  type SettingResult,
} from "./multiplexing-setting.ts";
import { benchConfig } from "./random-base.ts";

/** It has few words: an embedding table that is larger than the layers cannot be cut in two. */
const config = { ...benchConfig, vocabularySize: 1000 };
const [sequenceCount, tokenCount] = [8, 32];

const settings = [1, 3, 6].flatMap((cv) => [
  { cv, shares: [0.5, 0.5] },
  { cv, shares: [0.2, 0.8] },
]);

export async function benchMultiplexing({ isQuick }: BenchOptions): Promise<BenchResult> {
  if (availableParallelism() < 2) return { skipped: "two devices need two cores" };
  const scene = await openScene({ config, sequenceCount, tokenCount });
  try {
    const results: SettingResult[] = [];
    for (const [index, setting] of settings.entries())
      results.push(
        await runSetting(scene, { ...setting, seconds: isQuick ? 2.5 : 25, seed: 1 + index }),
      );
    return resultOf(scene, results);
  } finally {
    await scene.close();
  }
}

function resultOf(scene: Scene, results: readonly SettingResult[]): BenchResult {
  const all = results.flatMap(({ plans }) => Object.values(plans));
  return {
    settings: results.map(settingOf),
    profiled: profiledOf(scene),
    attainmentErrorMax: worst(all, ({ simulated }) => simulated, attainmentError),
    meanLatencyErrorMax: worst(all, ({ simulated }) => simulated, latencyError),
    foretoldAttainmentErrorMax: worst(all, ({ foretold }) => foretold, attainmentError),
    foretoldMeanLatencyErrorMax: worst(all, ({ foretold }) => foretold, latencyError),
    targets: { attainmentErrorMax: 0.05, meanLatencyErrorMax: 0.15 },
    howMeasured:
      "one process of one thread per device; a Gamma process of each model, half of what both " +
      "devices serve in all; answers are due after 10 times what one takes on one device, and " +
      "requests that would be late are rejected by a forecast from medians of ten requests " +
      "before each setting; mean latency is that of answers in time; the simulator gets the " +
      "arrivals and the same forecast; simulated: with the stages' times and the overhead as " +
      "they were in that run, so that queues, admission and pipelining are compared and not " +
      "how steady the machine is; foretold: with those from before, means over 20 draws of their " +
      "jitter; ratios are pipeline over replicas; drift is the time of stages while a plan ran " +
      "over that before",
    sizes: { sequenceCount, tokenCount, precision, cuts: scene.cuts, config },
    machine: machine(),
  };
}

/** What the profile foretold of one process by itself. */
function profiledOf({ profile }: Scene): unknown {
  const stages = profile.unit.profiles.map(({ latencies }) => latencies[0]?.stageSeconds ?? []);
  return {
    stageMs: stages.slice(0, 2).map((seconds) => seconds.map((s) => round(1000 * s, 3))),
    hopMs: round(1000 * (profile.times[0]?.hopSeconds ?? NaN), 3),
    startMs: round(1000 * profile.simulation.startSeconds, 3),
  };
}

function settingOf({ cv, shares, requestCount, deadlineSeconds, plans }: SettingResult): unknown {
  const { replicas, pipeline } = plans;
  const ratio = (of: (result: PlanResult) => number): number => round(of(pipeline) / of(replicas));
  const named = (name: PlanName): unknown => planOf(plans[name]);
  return {
    ...{ cv, shares, requestCount, deadlineSeconds: round(deadlineSeconds) },
    replicas: named("replicas"),
    pipeline: named("pipeline"),
    meanLatencyRatio: {
      measured: ratio(({ measured }) => measured.meanSeconds),
      simulated: ratio(({ simulated }) => simulated.meanSeconds),
    },
    attainmentRatio: {
      measured: ratio(({ measured }) => measured.attainment),
      simulated: ratio(({ simulated }) => simulated.attainment),
    },
  };
}

function planOf(result: PlanResult): unknown {
  const { measured, simulated, foretold, calibration, drift } = result;
  const figures = ({ attainment, meanSeconds }: PlanResult["measured"]): unknown => ({
    attainment: round(attainment),
    meanMs: round(1000 * meanSeconds),
  });
  return {
    measured: figures(measured),
    simulated: figures(simulated),
    foretold: figures(foretold),
    stageMs: calibration.stageSeconds.map((stages) => stages.map((s) => round(1000 * s, 3))),
    fixedMs: round(1000 * calibration.fixedSeconds, 3),
    speedAlone: round(calibration.speedAlone, 3),
    drift: round(drift, 3),
  };
}

function worst(
  all: readonly PlanResult[],
  of: (result: PlanResult) => Figures,
  error: (measured: Figures, expected: Figures) => number,
): number {
  return round(Math.max(...all.map((result) => error(result.measured, of(result)))));
}

function attainmentError(measured: Figures, expected: Figures): number {
  return Math.abs(measured.attainment - expected.attainment);
}

function latencyError(measured: Figures, expected: Figures): number {
  return Math.abs(expected.meanSeconds / measured.meanSeconds - 1);
}
