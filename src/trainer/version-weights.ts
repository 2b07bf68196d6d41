/** What is published of a fit: weights, figures, and what was seen and held out. */
import type { VersionWeights } from "../creator/creator.ts";
import type { Weight } from "../entities/weights.ts";
import { present } from "../foundation/assert.ts";
import { Pace } from "../foundation/pace.ts";
import { headTensors } from "../models/head.ts";
import {
  distinctDigests,
  encodeEvidence,
  type Evidence,
  type HeldOutRow,
  rememberedOf,
} from "./evidence.ts";
import type { TrainingExamples } from "./examples.ts";
import { fitInstantHead } from "./instant.ts";
import { type ContentSequences, picked } from "../learning/sequences.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { figureOf } from "../tasks/figure.ts";
import type { Answer, TaskKind } from "../tasks/tasks.ts";

type Figures = Readonly<Record<string, number>>;

/**
 * A version's own figures: the task's score on held-out texts, each counted once, with its
 * interval. Where nothing is held out there is no score, and none is made up.
 */
export function ownFigures(
  kind: TaskKind,
  expected: readonly Answer[],
  answers: readonly Answer[],
): Figures {
  const devCount = expected.length;
  const judged = expected.map((answer, index) =>
    kind.judged(answer, present(answers[index], "an answer to each text")),
  );
  if (!judged.some(({ count }) => count > 0)) return { devCount };
  const { mean, low, high } = kind.interval(judged);
  const { figure } = kind.score;
  return { [figure]: mean, [`${figure}Low`]: low, [`${figure}High`]: high, devCount };
}

/** "86.7 % of 30 held-out texts are right (70.3 to 94.7)", or that nothing is held out. */
export function figureText(kind: TaskKind, figures: Figures): string {
  const figure = figureOf(kind, figures);
  if (figure === undefined) return "too few texts to hold any out: no figure";
  const { value, low = NaN, high = NaN, count = 0 } = figure;
  const points = (share: number): string => (100 * share).toFixed(1);
  return `${points(value)} % ${kind.score.said(count)} (${points(low)} to ${points(high)})`;
}

/** The held-out texts at the indices, with the answers that they got. */
export function heldOutRows(
  { ids, answers: expected, digests, firsts }: ContentSequences,
  given: {
    readonly kind: TaskKind;
    readonly answers: readonly Answer[];
    readonly indices: readonly number[];
    readonly labels: readonly string[];
  },
): readonly HeldOutRow[] {
  const spelled = (answer: Answer | undefined): string =>
    given.kind.spelled(present(answer, "an answer to each text"), given.labels);
  return given.indices.map((index) => ({
    digest: present(digests[index], "one digest per text"),
    ids: present(ids[index], "an index of the texts"),
    firsts: firsts?.[index],
    expected: spelled(expected[index]),
    answer: spelled(given.answers[index]),
  }));
}

/** The instant head of these examples as a version, served at once. */
export async function instantVersion(
  base: TrainingBase,
  examples: Pick<TrainingExamples, "kind" | "train" | "dev" | "labels">,
  signal?: AbortSignal,
): Promise<VersionWeights> {
  const { kind, train, labels } = examples;
  const { pooling, config } = base.checkpoint;
  const labelCount = labels.length;
  // As many as are remembered tell enough: an instant head is to be there within seconds.
  const pace = new Pace(signal);
  const dev = await picked(examples.dev, await rememberedOf(examples.dev, pace), pace);
  const { head, devAnswers } = await fitInstantHead(
    base,
    { kind, train, dev, labelCount, pooling },
    signal,
  );
  const values: Readonly<Record<string, Float32Array>> = {
    "head.weight": head.weight,
    "head.bias": head.bias,
  };
  const tensors = new Map<string, Weight>();
  for (const { name, shape } of headTensors(config, kind.outputCount(labelCount)))
    tensors.set(name, { shape, values: present(values[name], "a part of the head") });
  const evidence: Evidence = {
    seen: await distinctDigests(train.digests, pace),
    rows: heldOutRows(dev, { kind, answers: devAnswers, indices: [...dev.ids.keys()], labels }),
  };
  return {
    kind: "instant",
    labels,
    tensors,
    task: kind.name,
    adapter: undefined,
    form: "dense",
    domain: undefined,
    pooling,
    precision: base.precision,
    metrics: ownFigures(kind, dev.answers, devAnswers),
    evidence: encodeEvidence(evidence),
    verdict: "Served: the first version",
    isServed: true,
  };
}
