/** Claim `graph`: the encoder runs nearly as fast as a bare matrix product, int8 well above. */
import { constantsOf } from "../src/checkpoints/base-weights.ts";
import { sequenceInputs, shallowPart } from "../src/models/encoder.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { EncoderConfig, Precision } from "../src/entities/base-model.ts";
import { Graph } from "../src/tensor/tensor.ts";
import { matmul } from "../src/tensor/operators/matmul.ts";
import { reshape, slice } from "../src/tensor/operators/shape.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, measure, medianRatio, round, spreadOf } from "./measure.ts";
import {
  benchConfig,
  mpnetConfig,
  randomValues,
  randomWeights,
  sequenceFeeds,
} from "./random-base.ts";

const sequence = 32;
/** It serves so: a worker per core, each of one thread. */
const threadCount = 1;

/** What is measured of a family. */
interface Setting {
  readonly config: EncoderConfig;
  readonly batch: number;
  /** So many products per round take about as long as a run of the encoder. */
  readonly productCount: number;
}

const minilm: Setting = { config: benchConfig, batch: 32, productCount: 8 };
const mpnet: Setting = { config: mpnetConfig, batch: 8, productCount: 16 };

/** The fields of the first family, and those of MPNet beside them. */
export async function benchGraph(options: BenchOptions): Promise<BenchResult> {
  return {
    ...(await benchFamily(minilm, options)),
    mpnet: await benchFamily(mpnet, options),
    machine: machine(),
  };
}

async function benchFamily(setting: Setting, { isQuick }: BenchOptions): Promise<BenchResult> {
  const { config, batch, productCount } = setting;
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const rows = batch * sequence;
  const runtime = new OrtRuntime({ threadCount, spinUs: 0 });
  const weights = await randomWeights(runtime, config);
  const encoder = async (precision: Precision) => {
    const graph = encoderGraph(config, precision);
    return runtime.load(graph, { constants: constantsOf(graph, weights) });
  };
  const [fp32, int8] = [await encoder("fp32"), await encoder("int8")];
  const product = await runtime.load(productGraph(config), {
    constants: new Map([["weight", randomValues([hidden, inner], 99)]]),
  });
  const x = randomValues([rows, hidden], 98);
  const { isCls: _, ...feeds } = sequenceFeeds(batch, sequence);
  const times = await measure(
    {
      product: async () => {
        for (let n = 0; n < productCount; n++)
          await product.run({
            x: { kind: "value", type: "float32", shape: [rows, hidden], values: x.slice() },
          });
      },
      fp32: () => fp32.run(structuredClone(feeds)),
      int8: () => int8.run(structuredClone(feeds)),
    },
    { warmupCount: 3, roundCount: isQuick ? 40 : 120, budgetMs: isQuick ? 40_000 : 120_000 },
  );
  await runtime.close();
  const { encoderFlops, productFlops } = flops(setting);
  const rate = medianRatio(
    times.product.map((ms) => ms / (productCount * productFlops)),
    times.fp32.map((ms) => ms / encoderFlops),
  );
  return {
    encoderVsMatmul: round(rate),
    int8VsFp32: medianRatio(times.fp32, times.int8),
    targets: { encoderVsMatmul: 0.95, int8VsFp32: 2.3 },
    gflopsPerSecond: {
      product: round((productCount * productFlops) / spreadOf(times.product).median / 1e6),
      encoder: round(encoderFlops / spreadOf(times.fp32).median / 1e6),
    },
    milliseconds: {
      products: spreadOf(times.product),
      fp32: spreadOf(times.fp32),
      int8: spreadOf(times.int8),
    },
    sizes: { sequence, product: [rows, hidden, inner], ...setting, threadCount },
  };
}

/** All layers from token ids; one vector per sequence leaves, so that little is copied. */
function encoderGraph(base: EncoderConfig, precision: Precision): Graph {
  const graph = new Graph();
  const config = { ...base, shallowLayerCount: base.layerCount };
  const scope = { graph, config, precision, isDifferentiated: false };
  const state = shallowPart(scope, sequenceInputs(graph));
  const perSequence = reshape(state, ["batch", "sequence", config.hiddenSize]);
  graph.output("first", slice(perSequence, { axis: 1, start: 0, end: 1 }));
  return graph;
}

function productGraph({ hiddenSize, intermediateSize }: EncoderConfig): Graph {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["rows", hiddenSize]);
  const y = matmul(x, graph.input("weight", "float32", [hiddenSize, intermediateSize]));
  // A corner of the product: the whole of it would be copied out.
  graph.output("y", slice(y, { axis: 1, start: 0, end: 1 }));
  return graph;
}

/** Multiplications and additions of the matrix products, those of attention included. */
function flops({
  config,
  batch,
}: Setting): Readonly<Record<`${"encoder" | "product"}Flops`, number>> {
  const { hiddenSize: d, intermediateSize: inner, layerCount } = config;
  const rows = batch * sequence;
  const linears = 2 * rows * (4 * d * d + 2 * d * inner);
  const attention = 2 * 2 * batch * sequence * sequence * d;
  return { encoderFlops: layerCount * (linears + attention), productFlops: 2 * rows * d * inner };
}
