/**
 * The states between the parts by look-up, for training on exactly what will be served: the same
 * tables, the same rule for what they lack, the same precision.
 */
import { constantsOf } from "../checkpoints/base-weights.ts";
import type { HierarchicalBase } from "../checkpoints/hierarchy.ts";
import { present } from "../foundation/assert.ts";
import type { Knowledge, NgramEncoder } from "../knowledge/knowledge.ts";
import { lookedUpSums } from "../knowledge/looked-up-sums.ts";
import { mergeGraph } from "../models/hierarchy.ts";
import { float32Result, type Program, type Runtime } from "../runtime/runtime.ts";
import { keepStates } from "../learning/sequences.ts";

export interface LookedUpSource {
  readonly knowledge: Knowledge;
  /** Number of the texts' domain in the tree. */
  readonly domain: number;
  /** Computes what the knowledge lacks; without it, look-ups back off. */
  readonly encoder?: NgramEncoder;
  /** See `loadMerge`. */
  readonly merge: Program;
  readonly signal?: AbortSignal;
}

/** The program that merges the sums of slots, by the weights of the hierarchical form. */
export function loadMerge(
  runtime: Runtime,
  { config, weights }: Pick<HierarchicalBase, "config" | "weights">,
): Promise<Program> {
  const graph = mergeGraph(config);
  return runtime.load(graph, { constants: constantsOf(graph, weights) });
}

/** States of each text, `[tokens, hidden]`. */
export async function lookedUpStates(
  ids: readonly Int32Array[],
  { knowledge, domain, encoder, merge, signal }: LookedUpSource,
): Promise<readonly Float32Array[]> {
  return keepStates(ids, {
    signal,
    async compute(batch) {
      const texts = batch.map((index) => present(ids[index], "a batch indexes the texts"));
      const sequence = texts.reduce((longest, { length }) => Math.max(longest, length), 1);
      const packed = new Int32Array(texts.length * sequence);
      const spans = texts.map((text, row) => {
        packed.set(text, row * sequence);
        return { start: row * sequence, length: text.length, domain };
      });
      const { sums } = await lookedUpSums(knowledge, { ids: packed, spans }, encoder);
      const shape = [texts.length, sequence, sums.length / packed.length];
      const results = await merge.run({
        sums: { kind: "value", type: "float32", shape, values: sums },
      });
      return float32Result(results, "state");
    },
  });
}
