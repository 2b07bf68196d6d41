/** An encoder of random weights: as fast as a real one, and nothing to download. */
import type { BaseWeights } from "../src/checkpoints/base-weights.ts";
import { drawnWeights } from "../src/checkpoints/exam-encoder.ts";
import type { EncoderConfig } from "../src/entities/base-model.ts";
import { elementCount } from "../src/foundation/element-count.ts";
import { SeededRandom } from "../src/foundation/random.ts";
import type { Runtime, Value } from "../src/runtime/runtime.ts";

/** The shape of all-MiniLM-L6-v2. */
export const benchConfig: EncoderConfig = {
  family: "bert",
  layerCount: 6,
  shallowLayerCount: 3,
  hiddenSize: 384,
  headCount: 12,
  intermediateSize: 1536,
  vocabularySize: 30_522,
  positionCount: 512,
  segmentCount: 2,
  layerNormEpsilon: 1e-12,
};

/** The shape of all-mpnet-base-v2. */
export const mpnetConfig: EncoderConfig = {
  family: "mpnet",
  layerCount: 12,
  shallowLayerCount: 6,
  hiddenSize: 768,
  headCount: 12,
  intermediateSize: 3072,
  vocabularySize: 30_527,
  positionCount: 512,
  segmentCount: 0,
  layerNormEpsilon: 1e-5,
};

/** Weights for all graphs of the encoder; every tensor, and every seed, has values of its own. */
export function randomWeights(
  runtime: Runtime,
  config = benchConfig,
  seed = 0,
): Promise<BaseWeights> {
  return drawnWeights(runtime, config, ({ shape, role }, number) => {
    const values = randomValues(shape, 1_000_000 * seed + number + 1);
    return role === "gain" ? values.map((value) => 1 + value) : values;
  });
}

/** Normal values of standard deviation 0.05. */
export function randomValues(shape: readonly number[], stream: number): Float32Array {
  const random = new SeededRandom(1, stream);
  const count = elementCount(shape);
  // Drawing millions of normals takes longer than the benchmark: a table of them is drawn from.
  const table = Float32Array.from({ length: 4096 }, () => 0.05 * random.normal());
  return Float32Array.from({ length: count }, () => table[random.integer(4096)] ?? 0);
}

/** `ids`, `lengths` and `isCls` of a batch of full sequences. */
export function sequenceFeeds(batch: number, sequence: number, seed = 0): Record<string, Value> {
  const random = new SeededRandom(2, seed);
  const ids = Int32Array.from({ length: batch * sequence }, () => 1000 + random.integer(29_000));
  return {
    ids: { kind: "value", type: "int32", shape: [batch, sequence], values: ids },
    lengths: {
      kind: "value",
      type: "int64",
      shape: [batch],
      values: new BigInt64Array(batch).fill(BigInt(sequence)),
    },
    isCls: { kind: "value", type: "bool", shape: [batch], values: new Uint8Array(batch) },
  };
}
