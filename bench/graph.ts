/** Claim `graph`: the encoder runs nearly as fast as a bare matrix product, int8 well above. */
import { constantsOf } from "../src/checkpoints/base-weights.ts";
import { sequenceInputs, shallowPart } from "../src/models/encoder.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Precision } from "../src/entities/base-model.ts";
import { Graph } from "../src/tensor/tensor.ts";
import { matmul } from "../src/tensor/operators/matmul.ts";
import { reshape, slice } from "../src/tensor/operators/shape.ts";
import type { BenchOptions, BenchResult } from "./claim.ts";
import { machine, measure, medianRatio, round, spreadOf } from "./measure.ts";
import { benchConfig, randomValues, randomWeights, sequenceFeeds } from "./random-base.ts";

const batch = 32;
const sequence = 32;
const rows = batch * sequence;
/** It serves so: a worker per core, each of one thread. */
const threadCount = 1;

export async function benchGraph({ isQuick }: BenchOptions): Promise<BenchResult> {
  const runtime = new OrtRuntime({ threadCount, spinUs: 0 });
  const weights = await randomWeights(runtime);
  const encoder = async (precision: Precision) => {
    const graph = encoderGraph(precision);
    return runtime.load(graph, { constants: constantsOf(graph, weights) });
  };
  const [fp32, int8] = [await encoder("fp32"), await encoder("int8")];
  const product = await runtime.load(productGraph(), {
    constants: new Map([["weight", randomValues([384, 1536], 99)]]),
  });
  const x = randomValues([rows, 384], 98);
  const { isCls: _, ...feeds } = sequenceFeeds(batch, sequence);
  const times = await measure(
    {
      // Several products per round, so that both arms take about as long.
      product: async () => {
        for (let n = 0; n < 8; n++)
          await product.run({
            x: { kind: "value", type: "float32", shape: [rows, 384], values: x.slice() },
          });
      },
      fp32: () => fp32.run(structuredClone(feeds)),
      int8: () => int8.run(structuredClone(feeds)),
    },
    { warmupCount: 3, roundCount: isQuick ? 40 : 120, budgetMs: isQuick ? 40_000 : 120_000 },
  );
  await runtime.close();
  const { encoderFlops, productFlops } = flops();
  const rate = medianRatio(
    times.product.map((ms) => ms / (8 * productFlops)),
    times.fp32.map((ms) => ms / encoderFlops),
  );
  return {
    encoderVsMatmul: round(rate),
    int8VsFp32: medianRatio(times.fp32, times.int8),
    targets: { encoderVsMatmul: 0.85, int8VsFp32: 2.3 },
    gflopsPerSecond: {
      product: round((8 * productFlops) / spreadOf(times.product).median / 1e6),
      encoder: round(encoderFlops / spreadOf(times.fp32).median / 1e6),
    },
    milliseconds: {
      eightProducts: spreadOf(times.product),
      fp32: spreadOf(times.fp32),
      int8: spreadOf(times.int8),
    },
    sizes: { batch, sequence, product: [rows, 384, 1536], config: benchConfig, threadCount },
    machine: machine(),
  };
}

/** All six layers from token ids; one vector per sequence leaves, so that little is copied. */
function encoderGraph(precision: Precision): Graph {
  const graph = new Graph();
  const config = { ...benchConfig, shallowLayerCount: benchConfig.layerCount };
  const scope = { graph, config, precision, isDifferentiated: false };
  const state = shallowPart(scope, sequenceInputs(graph));
  const perSequence = reshape(state, ["batch", "sequence", config.hiddenSize]);
  graph.output("first", slice(perSequence, { axis: 1, start: 0, end: 1 }));
  return graph;
}

function productGraph(): Graph {
  const graph = new Graph();
  const x = graph.input("x", "float32", ["rows", 384]);
  const y = matmul(x, graph.input("weight", "float32", [384, 1536]));
  // A corner of the product: the whole of it would be copied out.
  graph.output("y", slice(y, { axis: 1, start: 0, end: 1 }));
  return graph;
}

/** Multiplications and additions of the matrix products, those of attention included. */
function flops(): { readonly encoderFlops: number; readonly productFlops: number } {
  const { hiddenSize: d, intermediateSize: inner, layerCount } = benchConfig;
  const linears = 2 * rows * (4 * d * d + 2 * d * inner);
  const attention = 2 * 2 * batch * sequence * sequence * d;
  return { encoderFlops: layerCount * (linears + attention), productFlops: 2 * rows * d * inner };
}
