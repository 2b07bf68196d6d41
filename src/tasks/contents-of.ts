/** Examples as a split sees them. */
import type { Contents } from "../datasets/split.ts";
import type { Answer, TaskKind } from "./tasks.ts";

/** Equal answers get equal numbers. */
export function contentsOf(
  kind: TaskKind,
  examples: { readonly answers: readonly Answer[]; readonly digests: Float64Array },
): Contents {
  const numbers = new Map<string, number>();
  const numberOf = (answer: Answer): number => {
    const key = answer.join();
    const known = numbers.get(key) ?? numbers.size;
    numbers.set(key, known);
    return known;
  };
  return {
    digests: examples.digests,
    answers: Int32Array.from(examples.answers, numberOf),
    labelsOf: (index) => kind.labelsIn(examples.answers[index] ?? new Int32Array()),
  };
}
