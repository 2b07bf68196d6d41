/** What lanes over a dense base have in common, whatever they answer. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Feeds } from "../runtime/runtime.ts";
import type { AdapterPrograms } from "./adapter-programs.ts";
import { denseFeeds } from "./batch-feeds.ts";
import type { BatchRow, Lane } from "./lane.ts";

export interface DenseLaneOptions extends Pick<Lane, "key" | "msPerToken"> {
  readonly config: EncoderConfig;
  /** Serving graphs of what the lane answers. */
  readonly programs: AdapterPrograms;
  /** The pool's memory, in which the rows' weights are resident. */
  readonly memory: Float32Array;
}

/** What differs between them. */
export interface DenseAnswers<Answer> extends Pick<Lane<Answer>, "answers"> {
  /** What the graphs are fed beside tokens and weights; nothing when absent. */
  feeds?(rows: readonly BatchRow[]): Feeds;
}

export function denseLane<Answer>(
  { config, programs, memory, ...known }: DenseLaneOptions,
  { answers, feeds }: DenseAnswers<Answer>,
): Lane<Answer> {
  return {
    ...known,
    form: "dense",
    adapters: programs.adapters,
    programFor: (rows) => programs.for(rows),
    feeds: (rows) => ({
      ...denseFeeds(config, rows, { memory, adapters: programs.for(rows).adapters }),
      ...feeds?.(rows),
    }),
    answers,
  };
}
