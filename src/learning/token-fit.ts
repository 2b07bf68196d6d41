/** Training of token classification, by the loop that trains all tasks. */
import { present } from "../foundation/assert.ts";
import { type Fitted, type FitOptions, learn, type Objective } from "./learning.ts";
import type { Batch, Feed } from "./sequences.ts";
import { tokenF1, type TokenSequences } from "./token-sequences.ts";
import type { TrainingBase } from "./training-base.ts";

export interface TokenTask {
  readonly train: TokenSequences;
  readonly dev: TokenSequences;
  /** All labels of `train`, in the order of the head's outputs. */
  readonly labels: readonly string[];
}

/** The best epoch is the one with the highest F1 over dev's entities. */
export function fitTokens(
  base: TrainingBase,
  task: TokenTask,
  options: FitOptions,
): Promise<Fitted> {
  return learn(base, tokenObjective(task), options);
}

function tokenObjective({ train, dev, labels }: TokenTask): Objective {
  return {
    task: "token",
    labelCount: labels.length,
    train,
    dev,
    targets: (batch) => tokenTargets(train, batch, labels),
    score: (answers) => tokenF1(dev, answers, labels),
  };
}

/** The first token of each word has its label and the weight 1, all others have the weight 0. */
function tokenTargets(
  { ids, wordLabels, starts }: TokenSequences,
  batch: Batch,
  labels: readonly string[],
): Feed {
  const sequence = Math.max(...batch.map((index) => ids[index]?.length ?? 0));
  const rowCount = batch.length * sequence;
  const targets = new Float32Array(rowCount * labels.length);
  const weights = new Float32Array(rowCount);
  const indexByLabel = new Map(labels.map((label, index) => [label, index]));
  for (const [position, index] of batch.entries())
    for (const [word, start] of starts[index]?.entries() ?? []) {
      if (start < 0) continue;
      const row = position * sequence + start;
      const label = present(
        indexByLabel.get(wordLabels[index]?.[word] ?? ""),
        "a label of the task",
      );
      targets[row * labels.length + label] = 1;
      weights[row] = 1;
    }
  return {
    targets: { kind: "value", type: "float32", shape: [rowCount, labels.length], values: targets },
    exampleWeights: { kind: "value", type: "float32", shape: [rowCount], values: weights },
  };
}
