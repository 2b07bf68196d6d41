/** The lane of tokens over a dense base: what a head says of each token of a text. */
import { areFinite } from "../entities/weights.ts";
import { float32Result, type Results } from "../runtime/runtime.ts";
import { type TokenOutputs, tokenOutputs } from "../tasks/token-classification.ts";
import { denseLane, type DenseLaneOptions } from "./dense-lane.ts";
import type { BatchRow, Lane } from "./lane.ts";

/** Its programs are serving graphs of tokens, which are not pooled. */
export function tokenLane(options: DenseLaneOptions): Lane<TokenOutputs> {
  return denseLane(options, { answers: tokenAnswers });
}

/** Only what is said of each token is kept: probabilities of many labels would fill the memory. */
function tokenAnswers(
  results: Results,
  rows: readonly BatchRow[],
): readonly (TokenOutputs | undefined)[] {
  const { values, shape } = float32Result(results, "probabilities");
  const [, sequence = 0, width = 0] = shape;
  return rows.map(({ ids, outputCount }, row) => {
    const own = new Float32Array(ids.length * outputCount);
    for (let token = 0; token < ids.length; token++) {
      const start = (row * sequence + token) * width;
      own.set(values.subarray(start, start + outputCount), token * outputCount);
    }
    return areFinite(own) ? tokenOutputs(own, outputCount) : undefined;
  });
}
