/**
 * Claim `capacity`: a domain keeps a small share of a full copy of the table, and a gigabyte holds
 * far more models than full copies, where many share what is kept once. Bytes are those of the
 * arrays that would serve; n-grams are counted in the corpora. The share that pruning keeps is
 * measured on real rows: all of them, or with `--quick` a sample. Accuracy is that of one
 * classification and one NER task of the domain, one seed, which tells no more than a few points;
 * `--quick` reads it from the result files.
 */
import { availableParallelism } from "node:os";
import { type BaseWeights, constantsOf } from "../src/checkpoints/base-weights.ts";
import type { EncoderConfig } from "../src/entities/base-model.ts";
import { encodeSafetensors } from "../src/formats/safetensors.ts";
import { NgramMap } from "../src/knowledge/ngram-map.ts";
import { allocateRows, rowsBytes } from "../src/knowledge/table-rows.ts";
import { adapterTensors, upperBottleneck } from "../src/models/adapters/adapters.ts";
import { headTensors } from "../src/models/head.ts";
import { ngramGraph } from "../src/models/hierarchy.ts";
import { servingGraph } from "../src/models/serving-graph.ts";
import type { Graph } from "../src/tensor/tensor.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { runPlans } from "./hierarchical-processes.ts";
import { rowPrecision } from "./corpus-knowledge.ts";
import {
  type Arm,
  type HierarchicalBench,
  isSame,
  lackOfRuns,
  openBench,
  type Setup,
  type Run,
  RunFile,
  rules,
} from "./hierarchical-runs.ts";
import { machine, round } from "./measure.ts";

const tasks = ["ncbi-disease", "rct-20k"] as const;
const arms = Object.keys(rules).filter((arm) => arm !== "dense") as Arm[]; // the record's own keys
const setups: readonly Setup[] = tasks.flatMap((task) =>
  arms.map((arm) => ({ task, arm, seed: 0, epochCount: 8 })),
);
/** Rows whose distance to their parent's is measured. */
const rowCounts = { quick: 8192, long: Infinity };
/** A vPLM of the claims of accuracy. */
const virtualModel = { rank: 64, labelCount: 10 };
const modelCount = 10_000;

const resultFile = new RunFile("capacity.json");
/** Has made some of these runs. */
const comparedFile = new RunFile("accuracy-hierarchical.json");

export async function benchCapacity({ isQuick, cacheFolder }: BenchOptions): Promise<BenchResult> {
  const skipped = lackOfRuns();
  if (skipped !== undefined) return { skipped };
  if (!isQuick) {
    const known = knownRuns();
    const open = setups.filter((setup) => !known.some((run) => isSame(run, setup)));
    await runPlans(open, cacheFolder, (run) => {
      process.stderr.write(`${JSON.stringify(run)}\n`);
      resultFile.add(run);
    });
  }
  const bench = await openBench({ cacheFolder, threadCount: availableParallelism() });
  const { config, weights } = bench.base;
  const shared = sharedBytes(config, weights);
  const general = tableBytes(bench.knowledge.generalCount, config);
  const domains = await domainRows(bench, { config, general, isQuick });
  await bench.close();
  const domain = domains["biomedical"]?.bytes ?? 0;
  const own = virtualModelBytes(config);
  return {
    domainBytesShare: Object.fromEntries(
      Object.entries(domains).map(([arm, { shareOfGeneral }]) => [arm, shareOfGeneral]),
    ),
    accuracy: accuracies(),
    bytes: {
      general: { ...shared, table: general },
      domain: Object.fromEntries(Object.entries(domains).map(([arm, { bytes }]) => [arm, bytes])),
      task: own,
    },
    domains,
    modelsPerGB: modelsPerGB(weights, {
      own,
      shared: sum(Object.values(shared)),
      tables: general + domain,
    }),
    sizes: {
      generalRowCount: bench.knowledge.generalCount,
      rowsMeasured: isQuick ? `a sample of at most ${rowCounts.quick}` : "all",
      rows: rowPrecision,
      virtualModel,
      modelCount,
    },
    machine: machine(),
  };
}

/** What all vPLMs of the base share, without the tables. */
function sharedBytes(
  config: EncoderConfig,
  weights: BaseWeights,
): Readonly<Record<string, number>> {
  const of = (graph: Graph): number =>
    [...constantsOf(graph, weights)].reduce(
      (bytes, [name, { byteLength }]) => (name === "embeddings.word" ? bytes : bytes + byteLength),
      0,
    );
  return {
    upperLayers: of(servingGraph(config, "int8", { source: "sums", adapters: [] })),
    ngramEncoder: of(ngramGraph(config, "int8")),
    wordEmbeddings: weights.get("embeddings.word")?.byteLength ?? 0,
  };
}

/** Rows with their scales, and the map from n-gram to row. */
function tableBytes(entryCount: number, { hiddenSize }: Pick<EncoderConfig, "hiddenSize">): number {
  const rowBytes = rowsBytes(allocateRows({ precision: rowPrecision, hiddenSize }, 1));
  return (1 + entryCount) * rowBytes + new NgramMap(entryCount).cells.byteLength;
}

interface DomainRow {
  readonly rowCount: number;
  readonly bytes: number;
  /** Its size over that of a domain's full copy of the general table. */
  readonly shareOfGeneral: number;
  /** Its size over that of a table of all n-grams of the domain's text. */
  readonly shareOfOwn: number;
  /** The share of the rows that the general table holds too. */
  readonly sharedWithGeneral: number;
  /** The distance up to which a shared row is pruned; null where none is. */
  readonly tolerance: number | null;
}

async function domainRows(
  { knowledge }: HierarchicalBench,
  options: {
    readonly config: EncoderConfig;
    readonly general: number;
    readonly isQuick: boolean;
  },
): Promise<Readonly<Record<string, DomainRow>>> {
  const { config, general, isQuick } = options;
  const own = tableBytes(knowledge.domainNgrams(1).length / 3, config);
  const countMax = isQuick ? rowCounts.quick : rowCounts.long;
  const byAlpha = new Map<number, Float64Array>();
  const rows: Record<string, DomainRow> = {};
  for (const arm of arms) {
    const rule = rules[arm];
    if (rule === undefined) continue;
    const { alpha, prunedShare } = rule;
    const distances = byAlpha.get(alpha) ?? (await knowledge.distances(alpha, countMax));
    byAlpha.set(alpha, distances);
    const tolerance = await knowledge.tolerance(rule);
    const kept = distances.filter((distance) => distance > tolerance).length / distances.length;
    const rowCount = Math.round((knowledge.domainNgrams(alpha).length / 3) * kept);
    const bytes = tableBytes(rowCount, config);
    rows[arm] = {
      rowCount,
      bytes,
      shareOfGeneral: round(bytes / general),
      shareOfOwn: round(bytes / own),
      sharedWithGeneral: round(distances.filter(Number.isFinite).length / distances.length),
      tolerance: prunedShare === 0 ? null : round(tolerance),
    };
  }
  return rows;
}

/** The bytes of adapter and head, as the store keeps them. */
function virtualModelBytes(config: EncoderConfig): number {
  const { rank, labelCount } = virtualModel;
  const tensors = [
    ...adapterTensors(config, upperBottleneck(config, rank)),
    ...headTensors(config, labelCount),
  ];
  const zeros = tensors.map(({ name, shape }) => {
    const values = new Float32Array(shape.reduce((count, size) => count * size, 1));
    return [name, { shape, values }] as const;
  });
  return encodeSafetensors(new Map(zeros)).length;
}

/** The papers' arithmetic on this base: copies of everything, or a share of what is kept once. */
function modelsPerGB(
  weights: BaseWeights,
  bytes: Readonly<Record<"own" | "shared" | "tables", number>>,
): Readonly<Record<string, unknown>> {
  const full = [...weights]
    .filter(([name]) => /^(layer|embeddings)\./.test(name) && !/int8|transposed/.test(name))
    .reduce((total, [, { length }]) => total + length * Float32Array.BYTES_PER_ELEMENT, 0);
  const perGB = (each: number): number => round(1e9 / each);
  const withTables = bytes.own + (bytes.shared + bytes.tables) / modelCount;
  return {
    fullCopyFp32: perGB(full),
    fullCopyFp16: perGB(full / 2),
    virtualModels: perGB(withTables),
    virtualModelsWithoutTables: perGB(bytes.own + bytes.shared / modelCount),
    overFullCopyFp32: round(full / withTables),
    overFullCopyFp16: round(full / 2 / withTables),
    bytesPerVirtualModel: Math.round(withTables),
    /** What everything takes that they share is counted. */
    virtualModelsIn8GB: Math.floor((8e9 - bytes.shared - bytes.tables) / bytes.own),
    fullCopyBytes: full,
  };
}

function accuracies(): Readonly<Record<string, unknown>> {
  const runs = knownRuns();
  const rows = arms.map((arm) => {
    const scores = setups
      .filter((setup) => setup.arm === arm)
      .map(
        (setup) => [setup.task, runs.find((run) => isSame(run, setup))?.testScore ?? null] as const,
      );
    const known = scores.flatMap(([, score]) => score ?? []);
    const mean = known.length < tasks.length ? null : round(sum(known) / known.length);
    return [arm, { ...Object.fromEntries(scores), mean }] as const;
  });
  return Object.fromEntries(rows);
}

function knownRuns(): readonly Run[] {
  return [...comparedFile.runs(), ...resultFile.runs()];
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
