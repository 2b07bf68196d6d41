/** The lane of tokens over a dense base: what a head says of each token of a text. */
import { areFinite } from "../entities/weights.ts";
import { float32Result, type Results } from "../runtime/runtime.ts";
import { denseLane, type DenseLaneOptions } from "./dense-lane.ts";
import type { BatchRow, Lane } from "./lane.ts";

/**
 * What is kept of a text's `probabilities [tokens, outputs]`, where those of many labels would fill
 * the memory.
 */
export type KeptOfTokens<Answer> = (probabilities: Float32Array, outputCount: number) => Answer;

/** Its programs are serving graphs of tokens, which are not pooled. */
export function tokenLane<Answer>(
  options: DenseLaneOptions,
  kept: KeptOfTokens<Answer>,
): Lane<Answer> {
  return denseLane(options, {
    answers: (results, rows) =>
      tokenProbabilities(results, rows).map((own, row) =>
        areFinite(own) ? kept(own, rows[row]?.outputCount ?? 0) : undefined,
      ),
  });
}

/** The probabilities of each row, `[tokens, outputs]`, without its padding. */
function tokenProbabilities(results: Results, rows: readonly BatchRow[]): readonly Float32Array[] {
  const { values, shape } = float32Result(results, "probabilities");
  const [, sequence = 0, width = 0] = shape;
  return rows.map(({ ids, outputCount }, row) => {
    const own = new Float32Array(ids.length * outputCount);
    for (let token = 0; token < ids.length; token++) {
      const start = (row * sequence + token) * width;
      own.set(values.subarray(start, start + outputCount), token * outputCount);
    }
    return own;
  });
}
