/** Rows over the small encoder whose weights lie in a pool of their own. */
import { randomFloats, smallConfig } from "../checkpoints/exam-encoder.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import { SeededRandom } from "../foundation/random.ts";
import { adapterKinds, allLayers } from "../models/adapters/adapters.ts";
import { headTensors } from "../models/head.ts";
import type { BatchRow, PoolSpan } from "./lane.ts";

/** How many outputs each head has. */
export const rowOutputCount = 3;

export interface RowOptions {
  readonly kind: AdapterSpecification["kind"];
  /** 0 without an adapter. */
  readonly rank: number;
  /** All when absent. */
  readonly layers?: readonly number[];
  /** Whether the adapter has learned nothing yet. */
  readonly isFresh?: boolean;
  readonly length?: number;
  /** What the head's weights are, all of them; random ones when absent. */
  readonly head?: number;
}

export class ExamRows {
  readonly memory = new Float32Array(new SharedArrayBuffer(2 ** 22));
  #used = 0;

  /** A sequence of its length's tokens, always with the same head unless one is given. */
  row(options: RowOptions): BatchRow {
    const { kind, rank, layers = allLayers(smallConfig), isFresh = false, length = 6 } = options;
    const adapter = rank === 0 ? undefined : { kind, rank, layers };
    const resident = new Map<string, PoolSpan>();
    const place = (tensor: string, values: Float32Array): void => {
      this.memory.set(values, this.#used);
      resident.set(tensor, { offset: this.#used, length: values.length });
      this.#used += values.length;
    };
    for (const [stream, tensor] of headTensors(smallConfig, rowOutputCount).entries()) {
      const { values } = randomFloats(tensor.shape, { stream: 90 + stream });
      place(tensor.name, options.head === undefined ? values : values.fill(options.head));
    }
    if (adapter !== undefined)
      for (const [index, tensor] of adapterKinds[kind].tensors(smallConfig, adapter).entries()) {
        const deviation = isFresh ? tensor.initialDeviation : 0.3;
        const stream = 100 * rank + index;
        place(tensor.name, randomFloats(tensor.shape, { stream, deviation }).values);
      }
    const random = new SeededRandom(7, length);
    const ids = Int32Array.from({ length }, () => random.integer(smallConfig.vocabularySize));
    return { ids, pooling: "mean", adapter, outputCount: rowOutputCount, resident };
  }
}
