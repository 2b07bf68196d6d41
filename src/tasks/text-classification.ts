/** One label for a text. An answer is the number of the label. */
import type { LabelledText } from "../datasets/datasets.ts";
import { labelledForm } from "../datasets/labelled.ts";
import { shareInterval } from "../datasets/metrics.ts";
import { present } from "../foundation/assert.ts";
import { sequenceClasses } from "../models/task-graph.ts";
import { highest } from "./highest.ts";
import type { Answer, Judged, TaskKind } from "./tasks.ts";

export const textClassification: TaskKind<LabelledText, "sequence"> = {
  name: "text-classification",
  route: "POST /v1/classify",
  asked: "classify",
  form: labelledForm,
  graph: sequenceClasses,
  hasWords: false,
  score: {
    name: "accuracy",
    figure: "devAccuracy",
    baseline: "baselineDevAccuracy",
    event: "accuracy",
    said: (count) => `of ${count} held-out texts are right`,
    // An error is a text: what decides is the difference of the shares themselves.
    compared({ servedScore, difference: { mean, low, high } }) {
      const points = (share: number): string => (100 * share).toFixed(1);
      return (
        `${points(servedScore + mean)} % right against ${points(servedScore)} %, ` +
        `difference ${points(mean)} points, ${points(low)} to ${points(high)} at 90 %`
      );
    },
    disputed: "which stand under another label than before",
  },
  hyperparameters: {},
  outputCount: (labelCount) => labelCount,
  expected(example, { indexByLabel }) {
    const label = present(indexByLabel.get(example.label), "a label of the model");
    return { answer: Int32Array.of(label), lostCount: 0 };
  },
  lostRemark: (file) => `labels of ${file} cannot be learned`,
  labelsIn: (answer) => [...answer],
  classesOf: (answer) => ({ tokens: Int32Array.of(0), classes: answer }),
  answerOf: (scores, { labelCount }) => highest(scores, labelCount).slice(0, 1),
  judged(expected, given) {
    return { right: labelOf(expected) === labelOf(given) ? 1 : 0, count: 1, saidCount: 1 };
  },
  interval(judged: readonly Judged[]) {
    const rightCount = judged.reduce((sum, { right }) => sum + right, 0);
    return shareInterval(rightCount, judged.length);
  },
  spelled: (answer, labels) => present(labels[labelOf(answer)], "a label of the version"),
  parsed: (spelled, numberOf) => Int32Array.of(numberOf(spelled)),
};

/** A label and its probability. */
export interface LabelScore {
  readonly label: string;
  readonly score: number;
}

/** All labels, the most probable first; equal ones in the head's order, as `answerOf` has it. */
export function bestLabels(
  probabilities: Float32Array,
  labels: readonly string[],
): readonly LabelScore[] {
  const scores = labels.map((label, index) => ({ label, score: probabilities[index] ?? 0 }));
  return scores.toSorted((one, other) => other.score - one.score);
}

function labelOf(answer: Answer): number {
  return answer[0] ?? -1;
}
