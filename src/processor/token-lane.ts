/** The lane of tokens over a dense base: what a head says of each token of a text. */
import { areFinite } from "../entities/weights.ts";
import { type Feeds, float32Result, type Results } from "../runtime/runtime.ts";
import { type TokenOutputs, tokenOutputs } from "../tasks/token-classification.ts";
import { type BatchRow, batchFeeds } from "./batch.ts";
import type { Lane } from "./lane.ts";
import type { TextLaneOptions } from "./text-lane.ts";

/** Its programs are serving graphs of tokens. */
export function tokenLane(options: TextLaneOptions): Lane<TokenOutputs> {
  const { key, msPerToken, config, programs, memory } = options;
  return {
    key,
    msPerToken,
    adapters: programs.adapters,
    programFor: (rows) => programs.for(rows),
    feeds(rows) {
      const { adapters } = programs.for(rows);
      return tokenFeeds(batchFeeds(config, rows, { memory, adapters }));
    },
    answers: tokenAnswers,
  };
}

/** Tokens are not pooled. */
function tokenFeeds(feeds: Feeds): Feeds {
  const { isCls: _, ...own } = feeds;
  return own;
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
