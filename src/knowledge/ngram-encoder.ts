/** The tri-gram part of a hierarchical base as an `NgramEncoder`, in the precision that serves. */
import type { EncoderConfig, Precision } from "../entities/base-model.ts";
import { ngramGraph, ngramSize } from "../models/hierarchy.ts";
import { float32Result, type Runtime } from "../runtime/runtime.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import type { NgramEncoder } from "./knowledge.ts";

/** N-grams of one run: enough to fill the cores, few enough to stay in their caches. */
const ngramsPerRun = 256;

/** `weights` holds the base's and the hierarchical form's, by the names of the graphs' inputs. */
export async function loadNgramEncoder(
  runtime: Runtime,
  base: {
    readonly config: EncoderConfig;
    readonly precision: Precision;
    readonly weights: ReadonlyMap<string, TypedValues>;
  },
): Promise<NgramEncoder> {
  const { config, precision, weights } = base;
  const graph = ngramGraph(config, precision);
  const constants = new Map([...weights].filter(([name]) => graph.inputs.has(name)));
  const program = await runtime.load(graph, { constants });
  const width = ngramSize * config.hiddenSize;
  return async (ngrams) => {
    const count = ngrams.length / ngramSize;
    const all = new Float32Array(count * width);
    for (let first = 0; first < count; first += ngramsPerRun) {
      const values = ngrams.slice(first * ngramSize, (first + ngramsPerRun) * ngramSize);
      const shape = [values.length / ngramSize, ngramSize];
      const results = await program.run({
        ngrams: { kind: "value", type: "int32", shape, values },
      });
      all.set(float32Result(results, "slots").values, first * width);
    }
    return all;
  };
}
