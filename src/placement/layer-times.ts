/** Measured layers become the profiles of a unit: stages are cut, then their times summed. */
import { present } from "../foundation/assert.ts";
import type { Profile } from "./placement.ts";
import { sliceStages } from "./search/slicing.ts";

/** What each layer took in one way of running it. */
export interface LayerTimes {
  /** Cores, or devices, that shared each operator. */
  readonly intraOp: number;
  readonly batchSize: number;
  /** Tokens of each request of the batch. */
  readonly tokenCount: number;
  /** [layerCount]; the embeddings belong to the first layer and the heads to the last. */
  readonly layerSeconds: readonly number[];
  /** What each stage costs beside its layers. */
  readonly hopSeconds: number;
}

export interface LayerOptions {
  readonly times: readonly LayerTimes[];
  /** [layerCount]; of one copy. */
  readonly layerBytes: readonly number[];
  /** Stage counts above the number of layers are left out. */
  readonly stageCounts: readonly number[];
}

/**
 * One profile for each number of stages and each `intraOp` that was measured. A pipeline has one
 * cut, the best for the smallest batch of the longest requests; devices that share a stage share
 * its weights.
 */
export function profilesOf({ times, layerBytes, stageCounts }: LayerOptions): Profile[] {
  return [...new Set(times.map(({ intraOp }) => intraOp))].flatMap((intraOp) => {
    const rows = times.filter((row) => row.intraOp === intraOp);
    const typical = rows.toSorted(
      (a, b) => a.batchSize - b.batchSize || b.tokenCount - a.tokenCount,
    )[0];
    const { layerSeconds } = present(typical, "what was measured has rows");
    const layers = layerSeconds.map((seconds, layer) => ({
      seconds,
      deviceBytes: (layerBytes[layer] ?? 0) / intraOp,
    }));
    return stageCounts.flatMap((stageCount): Profile[] => {
      const cuts = sliceStages(layers, stageCount)?.cuts;
      if (cuts === undefined) return [];
      const sums = (values: readonly number[]): number[] =>
        cuts
          .slice(1)
          .map((end, stage) =>
            values.slice(cuts[stage], end).reduce((sum, value) => sum + value, 0),
          );
      return [
        {
          configuration: { intraOp, stageCount },
          latencies: rows.map(({ batchSize, tokenCount, hopSeconds, layerSeconds: seconds }) => ({
            batchSize,
            tokenCount,
            stageSeconds: sums(seconds).map((sum) => sum + hopSeconds),
          })),
          stageBytes: sums(layers.map(({ deviceBytes }) => deviceBytes)),
        },
      ];
    });
  });
}
