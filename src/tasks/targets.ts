/** What a training step compares the scores of a batch with. */
import { assert } from "../foundation/assert.ts";
import type { Answer, TaskKind } from "./tasks.ts";

export interface Targets {
  /** `[rows, outputs]`: one-hot where a row has a class, and 0 else. */
  readonly targets: Float32Array;
  /** `[rows]`: 1 where a row has a class. */
  readonly weights: Float32Array;
  readonly rowCount: number;
  readonly outputCount: number;
}

/** A sequence of a batch as it is learned from. */
export interface Lesson {
  readonly answer: Answer;
  readonly firsts: Int32Array | undefined;
}

/**
 * `sequence` is the padded length of the batch's sequences: there is a row for each sequence, or
 * for each of its places where tokens get scores.
 */
export function targetsOf(
  kind: TaskKind,
  lessons: readonly Lesson[],
  { labelCount, sequence }: { readonly labelCount: number; readonly sequence: number },
): Targets {
  const width = kind.graph.unit === "sequence" ? 1 : sequence;
  const outputCount = kind.outputCount(labelCount);
  const rowCount = lessons.length * width;
  const targets = new Float32Array(rowCount * outputCount);
  const weights = new Float32Array(rowCount);
  for (const [position, { answer, firsts }] of lessons.entries()) {
    const { tokens, classes } = kind.classesOf(answer, { labelCount, firsts });
    for (const [index, token] of tokens.entries()) {
      const row = position * width + token;
      const output = classes[index] ?? 0;
      assert(token < width && output < outputCount, "a class is of a row and an output");
      targets[row * outputCount + output] = 1;
      weights[row] = 1;
    }
  }
  return { targets, weights, rowCount, outputCount };
}
