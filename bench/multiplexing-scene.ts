/** Two models, two devices, and two plans for them, each on running processes of its own. */
import { assert, present } from "../src/foundation/assert.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import { type EngineProfile, profileEncoder } from "../src/commands/profile/profile.ts";
import type { BaseWeights } from "../src/checkpoints/base-weights.ts";
import type { EncoderConfig } from "../src/entities/base-model.ts";
import { groupBytes, type Plan, type Problem } from "../src/placement/placement.ts";
import { sliceStages } from "../src/placement/search/slicing.ts";
import { verify } from "../src/placement/verify.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Host } from "./multiplexing-dispatcher.ts";
import { StageProcess } from "./multiplexing-process.ts";
import { randomWeights } from "./random-base.ts";

export const precision = "int8";
const unitNames = ["a", "b"] as const;

const alone = { intraOp: 1, stageCount: 1 } as const;
const twoStages = { intraOp: 1, stageCount: 2 } as const;

export const plans = {
  replicas: {
    groups: [
      { devices: [0], configuration: alone, units: ["a"] },
      { devices: [1], configuration: alone, units: ["b"] },
    ],
  },
  pipeline: { groups: [{ devices: [0, 1], configuration: twoStages, units: ["a", "b"] }] },
} as const satisfies Readonly<Record<string, Plan>>;

export type PlanName = keyof typeof plans;

export interface SceneOptions {
  readonly config: EncoderConfig;
  /** The sequences of a request. */
  readonly sequenceCount: number;
  readonly tokenCount: number;
}

/** A plan that is carried out. */
export interface LivePlan {
  readonly plan: Plan;
  readonly groups: readonly (readonly Host[])[];
}

export interface Scene {
  readonly problem: Omit<Problem, "objective">;
  readonly profile: EngineProfile;
  readonly cuts: readonly number[];
  /** What every request carries. */
  readonly ids: readonly Int32Array[];
  readonly live: Readonly<Record<PlanName, LivePlan>>;
  close(): Promise<void>;
}

export async function openScene(options: SceneOptions): Promise<Scene> {
  const { config, sequenceCount, tokenCount } = options;
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const weights: BaseWeights[] = [];
  for (const seed of unitNames.keys()) weights.push(await randomWeights(runtime, config, seed));
  await runtime.close();
  const profile = await profileEncoder(
    {
      ...{ name: "a", config, weights: present(weights[0], "of two models"), precision, rank: 16 },
      ...{ coreCounts: [1], batchSizes: [sequenceCount], tokenCounts: [tokenCount] },
      ...{ clock: systemClock, signal: new AbortController().signal },
    },
    () => {},
  );
  const problem = problemOf(profile);
  const cuts = cutsOf(profile);
  const random = new SeededRandom(2);
  const draw = (): number => random.integer(config.vocabularySize);
  const ids = Array.from({ length: sequenceCount }, () =>
    Int32Array.from({ length: tokenCount }, draw),
  );
  const processes: StageProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(processes.map((stage) => stage.close()));
  };
  const open = async (plan: Plan): Promise<LivePlan> => {
    assert(verify(plan, problem).length === 0, "the plan fits the devices");
    const devices = [0, 1].map((device) => new StageProcess(device));
    processes.push(...devices);
    return { plan, groups: await loadPlan(plan, { devices, weights, config, cuts }) };
  };
  try {
    const live = { replicas: await open(plans.replicas), pipeline: await open(plans.pipeline) };
    return { problem, profile, cuts, ids, live, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Two devices, each of which holds one model, and not two. */
function problemOf({ unit }: EngineProfile): Scene["problem"] {
  const units = unitNames.map((name) => ({ ...unit, name }));
  // Stages of both models are more than one model by the embeddings, which are not halved.
  const deviceBytes = Math.max(groupBytes([unit], alone), groupBytes(units, twoStages));
  const cluster = { nodes: [{ name: "here", deviceCount: 2, deviceBytes }], linkSeconds: 0 };
  const both = { groups: [{ devices: [0], configuration: alone, units: unitNames }] };
  assert(verify(both, { units, cluster }).length > 0, "no device holds both models");
  return { units, cluster };
}

function cutsOf({ times, layerBytes }: EngineProfile): readonly number[] {
  const layers = (times[0]?.layerSeconds ?? []).map((seconds, layer) => ({
    seconds,
    deviceBytes: layerBytes[layer] ?? 0,
  }));
  return present(sliceStages(layers, 2), "two layers make two stages").cuts;
}

interface LoadOptions {
  readonly devices: readonly StageProcess[];
  readonly weights: readonly BaseWeights[];
  readonly config: EncoderConfig;
  readonly cuts: readonly number[];
}

/** Loads each device with what the plan says, one after the other. */
async function loadPlan(
  { groups }: Plan,
  { devices, weights, config, cuts }: LoadOptions,
): Promise<readonly (readonly Host[])[]> {
  const live: Host[][] = [];
  for (const group of groups) {
    const { stageCount } = group.configuration;
    const ends = stageCount === 1 ? [0, config.layerCount] : cuts;
    const hosts: Host[] = [];
    for (const name of group.units) {
      const unit = unitNames.findIndex((known) => known === name);
      const stages: Host["stages"][number][] = [];
      for (const [stage, device] of group.devices.entries()) {
        const span = { from: ends[stage] ?? 0, until: ends[stage + 1] ?? 0 };
        const own = present(weights[unit], "every unit has weights");
        const holder = present(devices[device], "the plan was verified");
        stages.push(await holder.load({ config, precision, span, weights: own }));
      }
      hosts.push({ unit, stages });
    }
    live.push(hosts);
  }
  return live;
}
