/** The lane of whole texts over a dense base: label probabilities and embeddings, in one batch. */
import { areFinite } from "../entities/weights.ts";
import { float32Result, type Results } from "../runtime/runtime.ts";
import { poolingFeeds } from "./batch-feeds.ts";
import { denseLane, type DenseLaneOptions } from "./dense-lane.ts";
import type { BatchRow, Lane } from "./lane.ts";

/** What a text is answered with. */
export interface TextAnswer {
  /** One per output of the head; empty without one. */
  readonly probabilities: Float32Array;
  /** `[hidden]`, L2-normalised. */
  readonly embedding: Float32Array;
}

export function textLane(options: DenseLaneOptions): Lane<TextAnswer> {
  return denseLane(options, { answers: textAnswers, feeds: poolingFeeds });
}

/** Weights that are finite may still overflow on the way; the base's own may be spoilt. */
function textAnswers(
  results: Results,
  rows: readonly BatchRow[],
): readonly (TextAnswer | undefined)[] {
  const { values: probabilities } = float32Result(results, "probabilities");
  const { values: embeddings } = float32Result(results, "embeddings");
  const width = probabilities.length / rows.length;
  const hiddenSize = embeddings.length / rows.length;
  return rows.map(({ outputCount }, row) => {
    const own = probabilities.slice(row * width, row * width + outputCount);
    const embedding = embeddings.slice(row * hiddenSize, (row + 1) * hiddenSize);
    return areFinite(own) && areFinite(embedding) ? { probabilities: own, embedding } : undefined;
  });
}
