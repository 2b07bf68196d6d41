/** Claim `mixed`: a thousand vPLMs in one stream cost little, and none notices the others. */
import { type BaseWeights, constantsOf } from "../src/checkpoints/base-weights.ts";
import type { Precision } from "../src/entities/base-model.ts";
import type { Weights } from "../src/entities/weights.ts";
import { digestOf } from "../src/foundation/digest.ts";
import { present } from "../src/foundation/assert.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import { silentTelemetry } from "../src/foundation/telemetry.ts";
import type { AdapterForm } from "../src/models/adapter-kind.ts";
import { formsIn, upperBottleneck, upperLayers } from "../src/models/adapters/adapters.ts";
import { servingGraph } from "../src/models/serving-graph.ts";
import { versionTensors, type VersionSize } from "../src/models/version-tensors.ts";
import { AdapterPool } from "../src/engine/adapter-pool.ts";
import type { Resident, BatchRow } from "../src/lanes/lane.ts";
import { textFeeds } from "../src/lanes/batch-feeds.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Feeds, Program, Runtime } from "../src/runtime/runtime.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, measure, medianRatio, round, spreadOf } from "./measure.ts";
import { benchConfig, randomValues, randomWeights } from "./random-base.ts";

const modelCount = 1000;
const batch = 16;
const sequence = 32;
/** The rank of every vPLM that is timed; the comparison draws from all of them. */
const rank = 16;
/** What the graph takes, of which the timed batches bring bottlenecks. */
const adapters = formsIn(upperLayers(benchConfig));
const ranks = [8, 16, 32, 64] as const;

interface BenchModel extends VersionSize {
  readonly resident: Resident;
}

export async function benchMixed({ isQuick }: BenchOptions): Promise<BenchResult> {
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const weights = await randomWeights(runtime);
  const { pool, models, digests } = await randomModels();
  const random = new SeededRandom(3);
  const int8 = await load(runtime, { weights, precision: "int8", adapters });
  const plain = await load(runtime, { weights, precision: "int8", adapters: [] });
  const place = { memory: pool.memory, adapters };
  const timed = models.slice(0, models.length / 2);
  const draw = (): BatchRow[] =>
    Array.from({ length: batch }, () => rowOf(random, timed, sequence));
  const times = await measure(
    {
      single: () => plain.run(withoutAdapters(textFeeds(benchConfig, draw(), place))),
      mixed: () => int8.run(textFeeds(benchConfig, draw(), place)),
    },
    { warmupCount: 5, roundCount: isQuick ? 150 : 500, budgetMs: isQuick ? 20_000 : 90_000 },
  );
  const roundCount = isQuick ? 8 : 60;
  const compared = { random, models, memory: pool.memory, roundCount };
  const differenceInt8 = await largestDifference(int8, compared);
  const fp32 = await load(runtime, { weights, precision: "fp32", adapters });
  const differenceFp32 = await largestDifference(fp32, compared);
  await runtime.close();
  return {
    mixedVsSingle: medianRatio(times.single, times.mixed),
    maxAbsDifferenceFp32: differenceFp32.largest,
    maxAbsDifferenceInt8: differenceInt8.largest,
    targets: { mixedVsSingle: 0.85, maxAbsDifferenceFp32: 1e-5, maxAbsDifferenceInt8: 1e-5 },
    comparedSequences: differenceInt8.count + differenceFp32.count,
    distinctDigests: new Set(digests).size,
    modelCount,
    tokensPerSecond: {
      single: round((1000 * batch * sequence) / spreadOf(times.single).median),
      mixed: round((1000 * batch * sequence) / spreadOf(times.mixed).median),
    },
    milliseconds: { single: spreadOf(times.single), mixed: spreadOf(times.mixed) },
    sizes: { batch, sequence, rank, precision: "int8", threadCount: 1, config: benchConfig },
    machine: machine(),
  };
}

/** vPLMs of random weights, all resident; the first half has the timed rank, the others any. */
async function randomModels() {
  const digests: string[] = [];
  const shapes = Array.from({ length: modelCount }, (_, index) => ({
    adapter: upperBottleneck(
      benchConfig,
      index < modelCount / 2 ? rank : (ranks[index % ranks.length] ?? rank),
    ),
    outputCount: 2 + (index % 7),
  }));
  const pool = new AdapterPool({
    bytes: 512 * 1024 * 1024,
    metrics: silentTelemetry.metrics,
    load: async (blob) => {
      const index = Number(blob.slice(blob.indexOf(":") + 1));
      const tensors = randomTensors(present(shapes[index], "one shape per model"), index);
      digests.push(digestOf(bytesOf(tensors)));
      return tensors;
    },
  });
  const models: BenchModel[] = [];
  for (const [index, shape] of shapes.entries()) {
    const tensors = versionTensors(benchConfig, shape);
    models.push({ ...shape, resident: await pool.acquire({ blob: `sha256:${index}`, tensors }) });
  }
  return { pool, models, digests };
}

function randomTensors(size: VersionSize, index: number): Weights {
  return new Map(
    versionTensors(benchConfig, size).map(({ name, shape }, part) => [
      name,
      { shape, values: randomValues(shape, 1000 + index * 32 + part) },
    ]),
  );
}

function bytesOf(tensors: Weights): Uint8Array {
  return Buffer.concat([...tensors.values()].map(({ values }) => new Uint8Array(values.buffer)));
}

/** A sequence of random tokens for a random one of the vPLMs. */
function rowOf(random: SeededRandom, models: readonly BenchModel[], length: number): BatchRow {
  const model = models[random.integer(models.length)];
  return {
    ids: Int32Array.from({ length }, () => 1000 + random.integer(29_000)),
    pooling: random.uniform() < 0.5 ? "cls" : "mean",
    adapter: model?.adapter,
    outputCount: model?.outputCount ?? 0,
    resident: model?.resident,
  };
}

async function load(
  runtime: Runtime,
  options: {
    readonly weights: BaseWeights;
    readonly precision: Precision;
    readonly adapters: readonly AdapterForm[];
  },
): Promise<Program> {
  const graph = servingGraph(benchConfig, options.precision, options);
  return runtime.load(graph, { constants: constantsOf(graph, options.weights) });
}

/** What a graph without adapters reads of these feeds. */
function withoutAdapters(feeds: Feeds): Feeds {
  const { inputs } = servingGraph(benchConfig, "int8", { adapters: [] });
  return Object.fromEntries(Object.entries(feeds).filter(([name]) => inputs.has(name)));
}

/** Each sequence in batches of mixed lengths, ranks and label counts against itself alone. */
async function largestDifference(
  program: Program,
  options: {
    readonly random: SeededRandom;
    readonly models: readonly BenchModel[];
    readonly memory: Float32Array;
    readonly roundCount: number;
  },
): Promise<{ readonly largest: number; readonly count: number }> {
  const { random, models, memory, roundCount } = options;
  let largest = 0;
  let count = 0;
  for (let index = 0; index < roundCount; index++) {
    const rows = Array.from({ length: 2 + random.integer(15) }, () =>
      rowOf(random, models, 3 + random.integer(120)),
    );
    const together = await answersOf(program, rows, memory);
    for (const [place, row] of rows.entries()) {
      const [alone] = await answersOf(program, [row], memory);
      for (const [position, value] of (alone ?? []).entries())
        largest = Math.max(largest, Math.abs(value - (together[place]?.[position] ?? NaN)));
      count += 1;
    }
  }
  return { largest, count };
}

/** Probabilities and embedding of each row, one after the other. */
async function answersOf(
  program: Program,
  rows: readonly BatchRow[],
  memory: Float32Array,
): Promise<readonly (readonly number[])[]> {
  const { probabilities, embeddings } = await program.run(
    textFeeds(benchConfig, rows, { memory, adapters }),
  );
  const [all, vectors] = [probabilities?.values ?? [], embeddings?.values ?? []];
  const outputCount = all.length / rows.length;
  const { hiddenSize } = benchConfig;
  return rows.map((row, place) => [
    ...Array.from(all.slice(place * outputCount, place * outputCount + row.outputCount), Number),
    ...Array.from(vectors.slice(place * hiddenSize, (place + 1) * hiddenSize), Number),
  ]);
}
