/** Claim `kinds`: kinds of adapters share a batch at little cost, and none notices the others. */
import { type BaseWeights, constantsOf } from "../src/checkpoints/base-weights.ts";
import type { Precision } from "../src/entities/base-model.ts";
import type { AdapterSpecification } from "../src/entities/virtual-model.ts";
import { present } from "../src/foundation/assert.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import { allLayers, upperBottleneck, upperLayers } from "../src/models/adapters/adapters.ts";
import { servingGraph } from "../src/models/serving-graph.ts";
import { versionTensors } from "../src/models/version-tensors.ts";
import { AdapterPrograms } from "../src/lanes/adapter-programs.ts";
import type { BatchRow, LaneProgram } from "../src/lanes/lane.ts";
import { textFeeds } from "../src/lanes/batch-feeds.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import { float32Result, type Program, type Results, type Runtime } from "../src/runtime/runtime.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, measure, medianRatio, round, spreadOf } from "./measure.ts";
import { benchConfig, randomValues, randomWeights } from "./random-base.ts";

const [batch, sequence] = [16, 32];
const modelsPerKind = 100;
const layers = upperLayers(benchConfig);
const bottleneck = upperBottleneck(benchConfig, 16);
const lora: AdapterSpecification = { kind: "lora", rank: 8, layers };

/** The models of a timed batch: half bottlenecks, a quarter LoRA, a quarter heads alone. */
const timed = [bottleneck, bottleneck, lora, undefined] as const;

/** Compared are other ranks too, and adapters in all layers, which run on the other program. */
const compared: readonly (AdapterSpecification | undefined)[] = [
  ...timed,
  upperBottleneck(benchConfig, 64),
  { ...lora, rank: 33 },
  { ...lora, layers: allLayers(benchConfig) },
  { ...bottleneck, rank: 1, layers: allLayers(benchConfig) },
];

type Model = Omit<BatchRow, "ids">;

export async function benchKinds({ isQuick }: BenchOptions): Promise<BenchResult> {
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const weights = await randomWeights(runtime);
  const scene = { runtime, weights, memory: new Float32Array(new SharedArrayBuffer(2 ** 28)) };
  const models = placedModels(scene.memory);
  const random = new SeededRandom(3);
  const int8 = new Served({ ...scene, precision: "int8" });
  const draw = (kinds: readonly number[]): readonly BatchRow[] =>
    Array.from({ length: batch }, (_, index) => {
      const kind = present(models[kinds[index % kinds.length] ?? 0], "a list of models per kind");
      return { ...present(kind[random.integer(modelsPerKind)], "a model"), ids: ids(random) };
    });
  const times = await measure(
    { alone: () => int8.run(draw([0])), mixed: () => int8.run(draw([0, 1, 2, 3])) },
    { warmupCount: 5, roundCount: isQuick ? 150 : 500, budgetMs: isQuick ? 25_000 : 90_000 },
  );
  const roundCount = isQuick ? 6 : 40;
  const maxDifferenceInt8 = await largestDifference(int8, { models, random, roundCount });
  const fp32 = new Served({ ...scene, precision: "fp32" });
  const maxDifferenceFp32 = await largestDifference(fp32, { models, random, roundCount });
  await runtime.close();
  return {
    throughputRatio: medianRatio(times.alone, times.mixed),
    maxDifferenceFp32,
    maxDifferenceInt8,
    targets: { throughputRatio: 0.9, maxDifferenceFp32: 1e-5, maxDifferenceInt8: 1e-5 },
    tokensPerSecond: {
      alone: round((1000 * batch * sequence) / spreadOf(times.alone).median),
      mixed: round((1000 * batch * sequence) / spreadOf(times.mixed).median),
    },
    milliseconds: { alone: spreadOf(times.alone), mixed: spreadOf(times.mixed) },
    sizes: { batch, sequence, modelsPerKind, threadCount: 1, config: benchConfig },
    machine: machine(),
  };
}

/** Models of random weights, by the place of their adapter in `compared`. */
function placedModels(memory: Float32Array): readonly (readonly Model[])[] {
  let used = 0;
  return compared.map((adapter, kind) =>
    Array.from({ length: kind < timed.length ? modelsPerKind : 5 }, (_, index) => {
      const resident = new Map<string, { offset: number; length: number }>();
      const outputCount = 2 + (index % 5);
      const tensors = versionTensors(benchConfig, { adapter, outputCount });
      for (const [part, { name, shape }] of tensors.entries()) {
        const values = randomValues(shape, 100_000 * kind + 100 * index + part);
        memory.set(values, used);
        resident.set(name, { offset: used, length: values.length });
        used += values.length;
      }
      return { pooling: index % 2 === 0 ? "mean" : "cls", adapter, outputCount, resident };
    }),
  );
}

function ids(random: SeededRandom, length: number = sequence): Int32Array {
  return Int32Array.from({ length }, () => 1000 + random.integer(29_000));
}

/** Runs batches as a lane does. */
class Served {
  readonly #memory: Float32Array;
  readonly #runtime: Runtime;
  readonly #programs: AdapterPrograms;
  readonly #loaded = new Map<LaneProgram, Promise<Program>>();

  constructor(options: {
    readonly runtime: Runtime;
    readonly weights: BaseWeights;
    readonly memory: Float32Array;
    readonly precision: Precision;
  }) {
    this.#memory = options.memory;
    this.#runtime = options.runtime;
    this.#programs = new AdapterPrograms(benchConfig, (adapters) => {
      const graph = servingGraph(benchConfig, options.precision, { adapters });
      return { graph, constants: constantsOf(graph, options.weights) };
    });
  }

  async run(rows: readonly BatchRow[]): Promise<Results> {
    const program = this.#programs.for(rows);
    const { graph, constants, adapters } = program;
    const loading = this.#loaded.get(program) ?? this.#runtime.load(graph, { constants });
    this.#loaded.set(program, loading);
    return (await loading).run(textFeeds(benchConfig, rows, { memory: this.#memory, adapters }));
  }

  /** Probabilities and embedding of each row. */
  async answers(rows: readonly BatchRow[]): Promise<readonly Float32Array[]> {
    const results = await this.run(rows);
    const { values: all } = float32Result(results, "probabilities");
    const { values: vectors } = float32Result(results, "embeddings");
    const [width, { hiddenSize }] = [all.length / rows.length, benchConfig];
    return rows.map(({ outputCount }, row) =>
      Float32Array.of(
        ...all.subarray(row * width, row * width + outputCount),
        ...vectors.subarray(row * hiddenSize, (row + 1) * hiddenSize),
      ),
    );
  }
}

/** Each sequence in batches of all kinds, and of random lengths, against itself alone. */
async function largestDifference(
  served: Served,
  options: {
    readonly models: readonly (readonly Model[])[];
    readonly random: SeededRandom;
    readonly roundCount: number;
  },
): Promise<number> {
  const { models, random, roundCount } = options;
  let largest = 0;
  for (let index = 0; index < roundCount; index++) {
    // Every other batch has adapters of the upper layers alone.
    const kindCount = index % 2 === 0 ? compared.length : compared.length - 2;
    const rows = Array.from({ length: 2 + random.integer(15) }, () => {
      const kind = present(models[random.integer(kindCount)], "a list of models per kind");
      const model = present(kind[random.integer(kind.length)], "a model");
      return { ...model, ids: ids(random, 3 + random.integer(120)) };
    });
    const together = await served.answers(rows);
    for (const [place, row] of rows.entries()) {
      const [alone] = await served.answers([row]);
      for (const [position, value] of (alone ?? [NaN]).entries()) {
        const difference = Math.abs(value - (together[place]?.[position] ?? NaN));
        if (!(difference <= largest)) largest = difference;
      }
    }
  }
  return largest;
}
