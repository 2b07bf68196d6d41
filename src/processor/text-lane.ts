/** The lane of whole texts over a dense base: label probabilities and embeddings, in one batch. */
import type { EncoderConfig } from "../entities/base-model.ts";
import { areFinite } from "../entities/weights.ts";
import { float32Result, type Results } from "../runtime/runtime.ts";
import type { AdapterPrograms } from "./adapter-programs.ts";
import { type BatchRow, batchFeeds } from "./batch.ts";
import type { Lane } from "./lane.ts";

/** What a text is answered with. */
export interface TextAnswer {
  /** One per output of the head; empty without one. */
  readonly probabilities: Float32Array;
  /** `[hidden]`, L2-normalised. */
  readonly embedding: Float32Array;
}

export interface TextLaneOptions extends Pick<Lane, "key" | "msPerToken"> {
  readonly config: EncoderConfig;
  /** The program of the serving graph. */
  readonly programs: AdapterPrograms;
  /** The pool's memory, in which the rows' weights are resident. */
  readonly memory: Float32Array;
}

export function textLane(options: TextLaneOptions): Lane<TextAnswer> {
  const { key, msPerToken, config, programs, memory } = options;
  return {
    key,
    msPerToken,
    adapters: programs.adapters,
    programFor: (rows) => programs.for(rows),
    feeds: (rows) => batchFeeds(config, rows, { memory, adapters: programs.for(rows).adapters }),
    answers: (results, rows) => textAnswers(results, { rows, hiddenSize: config.hiddenSize }),
  };
}

/** Weights that are finite may still overflow on the way; the base's own may be spoilt. */
function textAnswers(
  results: Results,
  { rows, hiddenSize }: { readonly rows: readonly BatchRow[]; readonly hiddenSize: number },
): readonly (TextAnswer | undefined)[] {
  const { values: probabilities } = float32Result(results, "probabilities");
  const { values: embeddings } = float32Result(results, "embeddings");
  const width = probabilities.length / rows.length;
  return rows.map(({ outputCount }, row) => {
    const own = probabilities.slice(row * width, row * width + outputCount);
    const embedding = embeddings.slice(row * hiddenSize, (row + 1) * hiddenSize);
    return areFinite(own) && areFinite(embedding) ? { probabilities: own, embedding } : undefined;
  });
}
