/** What is published of a fit: weights, figures, and what was seen and held out. */
import type { VersionWeights } from "../creator/creator.ts";
import type { Weight } from "../entities/weights.ts";
import { present } from "../foundation/assert.ts";
import { Pace } from "../foundation/pace.ts";
import { distinctDigests } from "../datasets/content-digests.ts";
import { encodeEvidence, type Evidence, heldOutRows, rememberedOf } from "../judging/evidence.ts";
import { ownFigures } from "../judging/figures.ts";
import { fitInstantHead } from "../learning/instant.ts";
import { picked } from "../learning/sequences.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import { headTensors } from "../models/head.ts";
import type { TrainingExamples } from "./examples.ts";

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
    ...base.fittedOn,
    metrics: ownFigures(kind, dev.answers, devAnswers),
    evidence: encodeEvidence(evidence),
    verdict: "Served: the first version",
    isServed: true,
  };
}
