/** What is published of a fit: weights, figures, and what was seen and held out. */
import type { VersionWeights } from "../creator/creator.ts";
import { shareInterval } from "../datasets/metrics.ts";
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

type Figures = Readonly<Record<string, number>>;

/**
 * A version's own figures: the share of its right answers to held-out texts, each counted once,
 * with Wilson's interval. Where nothing is held out there is no share, and none is made up.
 */
export function ownFigures(expected: Int32Array, answers: Int32Array): Figures {
  const devCount = expected.length;
  if (devCount === 0) return { devCount };
  const rightCount = expected.filter((label, index) => label === answers[index]).length;
  const { mean, low, high } = shareInterval(rightCount, devCount);
  return { devAccuracy: mean, devAccuracyLow: low, devAccuracyHigh: high, devCount };
}

/** "86.7 % of 30 held-out texts are right (70.3 to 94.7)", or that nothing is held out. */
export function figureText({
  devAccuracy,
  devAccuracyLow,
  devAccuracyHigh,
  ...rest
}: Figures): string {
  if (devAccuracy === undefined) return "too few texts to hold any out: no figure";
  const points = (share: number | undefined): string => (100 * (share ?? NaN)).toFixed(1);
  const interval = `${points(devAccuracyLow)} to ${points(devAccuracyHigh)}`;
  return `${points(devAccuracy)} % of ${rest["devCount"]} held-out texts are right (${interval})`;
}

/** The held-out texts at the indices, with the answers that they got. */
export function heldOutRows(
  { ids, labels: expected, digests }: ContentSequences,
  given: {
    readonly answers: Int32Array;
    readonly indices: readonly number[];
    readonly labels: readonly string[];
  },
): readonly HeldOutRow[] {
  const nameOf = (label: number | undefined): string =>
    present(given.labels[label ?? -1], "a label of the version");
  return given.indices.map((index) => ({
    digest: present(digests[index], "one digest per text"),
    ids: present(ids[index], "an index of the texts"),
    label: nameOf(expected[index]),
    answer: nameOf(given.answers[index]),
  }));
}

/** The instant head of these examples as a version, served at once. */
export async function instantVersion(
  base: TrainingBase,
  examples: Pick<TrainingExamples, "train" | "dev" | "labels">,
  signal?: AbortSignal,
): Promise<VersionWeights> {
  const { train, labels } = examples;
  const { pooling, config } = base.checkpoint;
  const labelCount = labels.length;
  // As many as are remembered tell enough: an instant head is to be there within seconds.
  const pace = new Pace(signal);
  const dev = await picked(examples.dev, await rememberedOf(examples.dev, pace), pace);
  const { head, devAnswers } = await fitInstantHead(
    base,
    { train, dev, labelCount, pooling },
    signal,
  );
  const values: Readonly<Record<string, Float32Array>> = {
    "head.weight": head.weight,
    "head.bias": head.bias,
  };
  const tensors = new Map<string, Weight>();
  for (const { name, shape } of headTensors(config, labelCount))
    tensors.set(name, { shape, values: present(values[name], "a part of the head") });
  const evidence: Evidence = {
    seen: await distinctDigests(train.digests, pace),
    rows: heldOutRows(dev, { answers: devAnswers, indices: [...dev.labels.keys()], labels }),
  };
  return {
    kind: "instant",
    labels,
    tensors,
    task: "text-classification",
    adapter: undefined,
    form: "dense",
    domain: undefined,
    pooling,
    precision: base.precision,
    metrics: ownFigures(dev.labels, devAnswers),
    evidence: encodeEvidence(evidence),
    verdict: "Served: the first version",
    isServed: true,
  };
}
