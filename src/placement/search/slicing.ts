/** Cuts a model's layers into the stages of a pipeline, so that the slowest stage is fastest. */
import { present } from "../../foundation/assert.ts";

export interface Layer {
  /** Measured; a stage takes the sum of its layers. */
  readonly seconds: number;
  /** Weights on each device. */
  readonly deviceBytes: number;
}

export interface Slices {
  /** Stage k holds layers [cuts[k], cuts[k + 1]); [stageCount + 1]. */
  readonly cuts: readonly number[];
  readonly slowestSeconds: number;
}

/**
 * Cuts by dynamic programming: F(s, k) = min over i of max(F(s - 1, i), latency of layers i … k -
 * 1) (AlpaServe, section 4.1). A stage holds at least one layer and at most `deviceBytesMax`;
 * undefined if no cut does that.
 */
export function sliceStages(
  layers: readonly Layer[],
  stageCount: number,
  deviceBytesMax = Infinity,
): Slices | undefined {
  // Of the first k layers in as many stages as there were rounds.
  let best: readonly (Slices | undefined)[] = [{ cuts: [0], slowestSeconds: 0 }];
  for (let stage = 0; stage < stageCount; stage++) {
    const shorter = best;
    best = Array.from({ length: layers.length + 1 }, (_, end) => {
      let [found, seconds, bytes]: [Slices | undefined, number, number] = [undefined, 0, 0];
      for (let start = end - 1; start >= 0; start--) {
        const layer = present(layers[start], "a start lies before an end");
        seconds += layer.seconds;
        bytes += layer.deviceBytes;
        if (bytes > deviceBytesMax) break;
        const before = shorter[start];
        const slowestSeconds = Math.max(before?.slowestSeconds ?? Infinity, seconds);
        if (before !== undefined && slowestSeconds < (found?.slowestSeconds ?? Infinity))
          found = { cuts: [...before.cuts, end], slowestSeconds };
      }
      return found;
    });
  }
  return best[layers.length];
}
