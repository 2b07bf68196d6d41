/** Versions as plain as they can be, for exams that ask little of them. */
import { digestOf } from "../foundation/digest.ts";
import type { Version } from "./virtual-model.ts";

/** An instant head over two labels, of the model with this incarnation. */
export function plainVersion(model: Version["model"], number: number): Version {
  return {
    model,
    number,
    kind: "instant",
    task: "text-classification",
    labels: ["ham", "spam"],
    adapter: undefined,
    form: "dense",
    domain: undefined,
    pooling: "mean",
    precision: "fp32",
    shapes: undefined,
    blob: digestOf(`${number}`),
    blobBytes: 1,
    metrics: {},
    evidence: undefined,
    outcome: "served",
    verdict: undefined,
    job: undefined,
    createdAt: 0,
  };
}
