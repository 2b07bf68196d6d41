/**
 * `strata profile`: measures the engine on this machine and gives the values that `placement/`
 * plans with: a unit with a profile for each number of cores and stages, and the overheads.
 */
import { cpus, totalmem } from "node:os";
import { openBaseCheckpoint, openPulledBase } from "../../sources/base-cache.ts";
import { type BaseWeights, constantsOf, loadBaseWeights } from "../../checkpoints/base-weights.ts";
import type { EncoderConfig, Precision } from "../../entities/base-model.ts";
import type { Clock } from "../../foundation/clock.ts";
import { stageGraph } from "../../models/stage-graph.ts";
import { type LayerTimes, profilesOf } from "../../placement/layer-times.ts";
import { idealProfile, type SimulationProfile, type Unit } from "../../placement/placement.ts";
import { OrtRuntime } from "../../runtime/ort/ort-runtime.ts";
import { type BatchShape, LayerMeter, type ShapeTimes } from "./layer-meter.ts";

export interface ProfileOptions {
  /** The name of a pulled base. */
  readonly name: string;
  readonly cacheFolder: string;
  readonly precision: Precision;
  /** Cores of one session: each is measured. */
  readonly coreCounts: readonly number[];
  readonly batchSizes: readonly number[];
  /** Tokens of each sequence; the longest is the unit's typical request. */
  readonly tokenCounts: readonly number[];
  /** The rank of the adapters that sequences bring. */
  readonly rank: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface ProfileProgress {
  readonly coreCount: number;
  readonly batchSize: number;
  readonly tokenCount: number;
  /** How many of `shapeCount` are done. */
  readonly doneCount: number;
  readonly shapeCount: number;
}

/** JSON; all times in seconds, medians. */
export interface EngineProfile {
  readonly base: string;
  readonly precision: Precision;
  readonly rank: number;
  readonly machine: {
    readonly cpu: string;
    readonly coreCount: number;
    readonly memoryBytes: number;
  };
  /** Weights of each layer, the embeddings with the first one. */
  readonly layerBytes: readonly number[];
  /** Times by cores and batch; `wholeSeconds` is one session of all layers. */
  readonly times: readonly (LayerTimes & ShapeTimes)[];
  /** What a plan places, and a simulator runs. */
  readonly unit: Unit;
  readonly simulation: SimulationProfile;
}

/** Powers of two up to the machine's cores, and small and full batches. */
export function defaultShapes(
  machineCoreCount: number,
): Pick<ProfileOptions, "coreCounts" | "batchSizes" | "tokenCounts" | "rank"> {
  const powers = Array.from({ length: 16 }, (_, power) => 2 ** power);
  return {
    coreCounts: powers.filter((count) => count <= machineCoreCount),
    batchSizes: [1, 4, 16],
    tokenCounts: [32, 128],
    rank: 16,
  };
}

/** NOT_FOUND when the base was not pulled; rejects with the signal's reason when it is aborted. */
export async function profileEngine(
  options: ProfileOptions,
  onProgress: (progress: ProfileProgress) => void,
): Promise<EngineProfile> {
  const base = await openPulledBase(options.cacheFolder, options.name);
  const checkpoint = await openBaseCheckpoint(base);
  const runtime = openRuntime(1);
  const weights = await loadBaseWeights(checkpoint, runtime);
  await runtime.close();
  return profileEncoder({ ...options, config: checkpoint.config, weights }, onProgress);
}

/** Profiles weights that are at hand, whatever their source. */
export async function profileEncoder(
  options: Omit<ProfileOptions, "cacheFolder"> & {
    readonly config: EncoderConfig;
    readonly weights: BaseWeights;
  },
  onProgress: (progress: ProfileProgress) => void,
): Promise<EngineProfile> {
  const { name, config, weights, precision, rank, coreCounts, tokenCounts } = options;
  const shapes = options.batchSizes.flatMap((batchSize) =>
    tokenCounts.map((tokenCount): BatchShape => ({ batchSize, tokenCount })),
  );
  const times: (LayerTimes & ShapeTimes)[] = [];
  let requestSeconds = 0;
  for (const coreCount of coreCounts) {
    const runtime = openRuntime(coreCount);
    try {
      const meter = await LayerMeter.open(runtime, options);
      for (const shape of shapes) {
        times.push({ intraOp: coreCount, ...shape, ...(await meter.measure(shape)) });
        const shapeCount = coreCounts.length * shapes.length;
        onProgress({ coreCount, ...shape, doneCount: times.length, shapeCount });
      }
      if (coreCount === coreCounts[0])
        requestSeconds = await meter.measureRequest(Math.min(...tokenCounts));
    } finally {
      await runtime.close();
    }
  }
  const layerBytes = Array.from({ length: config.layerCount }, (_, from) => {
    const graph = stageGraph(config, precision, { from, until: from + 1, adapters: [] });
    const values = [...constantsOf(graph, weights).values()];
    return values.reduce((sum, { byteLength }) => sum + byteLength, 0);
  });
  const stageCounts = layerBytes.map((_, index) => index + 1);
  const profiles = profilesOf({ times, layerBytes, stageCounts });
  return {
    base: name,
    ...{ precision, rank, layerBytes, times },
    machine: {
      cpu: cpus()[0]?.model.trim() ?? "",
      coreCount: cpus().length,
      memoryBytes: totalmem(),
    },
    unit: { name, tokenCount: Math.max(...tokenCounts), profiles },
    // From dispatch to answer; admission predicts it too.
    simulation: {
      ...idealProfile,
      name,
      startSeconds: requestSeconds,
      slackSeconds: requestSeconds,
    },
  };
}

/** Opens a runtime as the server opens its own. */
function openRuntime(threadCount: number): OrtRuntime {
  return new OrtRuntime({ threadCount, spinUs: 0 });
}
