/** Claim `train`: a step costs little more than its arithmetic, and less over an int8 base. */
import { availableParallelism } from "node:os";
import { constantsOf } from "../src/checkpoints/base-weights.ts";
import { adapterTensors, upperBottleneck } from "../src/models/adapters/adapters.ts";
import { headTensors } from "../src/models/head.ts";
import {
  featuresGraph,
  stepGraph,
  type TrainingGraphOptions,
} from "../src/models/training-graph.ts";
import { wordTable } from "../src/models/encoder-scope.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Feeds, Program, Runtime, Value } from "../src/runtime/runtime.ts";
import type { BaseWeights } from "../src/checkpoints/base-weights.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { int8Cost } from "./int8-cost.ts";
import { machine, measure, medianRatio, spreadOf } from "./measure.ts";
import { benchConfig, randomValues, randomWeights, sequenceFeeds } from "./random-base.ts";

const batch = 16;
const sequence = 32;
const labelCount = 8;
const rank = 16;
const { hiddenSize } = benchConfig;

export async function benchTrain(options: BenchOptions): Promise<BenchResult> {
  const { isQuick } = options;
  const threadCount = availableParallelism();
  const runtime = new OrtRuntime({ threadCount, spinUs: 500 });
  const weights = await randomWeights(runtime);
  const bench = { runtime, weights };
  const full = await loadStep(bench, { method: "full", source: "ids", precision: "fp32" });
  const fp32 = await loadStep(bench, { method: "adapter", source: "states", precision: "fp32" });
  const int8 = await loadStep(bench, { method: "adapter", source: "states", precision: "int8" });
  const forward = await loadForward(bench, "ids");
  const upperForward = await loadForward(bench, "states");
  const times = await measure(
    {
      forward: () => forward.run(sourceFeeds("ids")),
      fullStep: () => full.run({ ...sourceFeeds("ids"), ...stepFeeds(), ...wordFeeds() }),
      upperForward: () => upperForward.run(sourceFeeds("states")),
      adapterStep: () => fp32.run({ ...sourceFeeds("states"), ...stepFeeds() }),
      adapterStepInt8: () => int8.run({ ...sourceFeeds("states"), ...stepFeeds() }),
    },
    { warmupCount: 3, roundCount: isQuick ? 40 : 100, budgetMs: isQuick ? 35_000 : 90_000 },
  );
  await runtime.close();
  return {
    stepVsForward: medianRatio(times.fullStep, times.forward),
    adapterStepVsForward: medianRatio(times.adapterStep, times.upperForward),
    int8BaseSpeedup: medianRatio(times.adapterStep, times.adapterStepInt8),
    adapterStepInt8VsForward: medianRatio(times.adapterStepInt8, times.upperForward),
    int8AccuracyCost: await int8Cost(options),
    targets: { stepVsForward: 4.5, adapterStepVsForward: 2.0 },
    milliseconds: Object.fromEntries(
      Object.entries(times).map(([name, values]) => [name, spreadOf(values)]),
    ),
    sizes: { batch, sequence, rank, labelCount, config: benchConfig, threadCount },
    machine: machine(),
  };
}

interface Bench {
  readonly runtime: Runtime;
  readonly weights: BaseWeights;
}

type StepOptions = Omit<TrainingGraphOptions, "config">;

async function loadStep({ runtime, weights }: Bench, options: StepOptions): Promise<Program> {
  const { graph, learned, state } = stepGraph({ config: benchConfig, ...options });
  const constants = constantsOf(graph, weights);
  for (const name of learned) constants.delete(name);
  const program = await runtime.load(graph, { constants, state });
  const sizes = new Map<string, readonly number[]>();
  for (const { name, shape } of [
    ...adapterTensors(benchConfig, upperBottleneck(benchConfig, rank)),
    ...headTensors(benchConfig, labelCount),
  ])
    sizes.set(name, shape);
  const initial: Record<string, Value> = {};
  for (const [index, name] of learned.entries()) {
    if (name === wordTable) continue;
    const shape = sizes.get(name) ?? (graph.inputs.get(name)?.shape ?? []).map(Number);
    const values = weights.get(name);
    const start = values instanceof Float32Array ? values.slice() : randomValues(shape, index);
    initial[name] = { kind: "value", type: "float32", shape, values: start };
    for (const part of ["mean", "square"])
      initial[`${name}.${part}`] = {
        kind: "value",
        type: "float32",
        shape,
        values: new Float32Array(start.length),
      };
  }
  await program.write(initial);
  return program;
}

/** The fused inference pass of the same layers. */
async function loadForward({ runtime, weights }: Bench, source: "ids" | "states") {
  const graph = featuresGraph({
    ...{ config: benchConfig, precision: "fp32", source },
    unit: "sequence",
  });
  return runtime.load(graph, { constants: constantsOf(graph, weights) });
}

const kept = {
  sequences: sequenceFeeds(batch, sequence),
  states: randomValues([batch, sequence, hiddenSize], 97),
};

/** Fresh copies: a run takes its buffers over. */
function sourceFeeds(source: "ids" | "states"): Record<string, Value> {
  const { ids, ...others } = structuredClone(kept.sequences);
  if (source === "ids" && ids !== undefined) return { ids, ...others };
  const shape = [batch, sequence, hiddenSize];
  return {
    states: { kind: "value", type: "float32", shape, values: kept.states.slice() },
    ...others,
  };
}

/** Every word is another one, as in a real batch. */
function wordFeeds(): Feeds {
  const count = batch * sequence;
  const rows = (): Value => ({
    kind: "value",
    type: "float32",
    shape: [count, hiddenSize],
    values: new Float32Array(count * hiddenSize).fill(0.01),
  });
  const ids = Int32Array.from({ length: count }, (_, index) => index);
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    [wordTable]: rows(),
    [`${wordTable}.mean`]: rows(),
    [`${wordTable}.square`]: rows(),
  };
}

function stepFeeds(): Record<string, Value> {
  const targets = new Float32Array(batch * labelCount);
  for (let row = 0; row < batch; row++) targets[row * labelCount + (row % labelCount)] = 1;
  const scalar = (value: number): Value => ({
    kind: "value",
    type: "float32",
    shape: [],
    values: Float32Array.of(value),
  });
  return {
    targets: { kind: "value", type: "float32", shape: [batch, labelCount], values: targets },
    exampleWeights: {
      kind: "value",
      type: "float32",
      shape: [batch],
      values: new Float32Array(batch).fill(1),
    },
    learningRate: scalar(1e-6),
    step: scalar(5),
    stepCount: scalar(1000),
    warmupCount: scalar(1),
  };
}
