/** What the creator refuses: faults of a specification, and weights that are no numbers. */
import type { EncoderConfig } from "../entities/base-model.ts";
import {
  defaultTask,
  labelFault,
  type ModelIdentity,
  nameFault,
} from "../entities/virtual-model.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import { faultOfShapes, shapesOf } from "../entities/weights.ts";
import { assert } from "../foundation/assert.ts";
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { versionTensors } from "../models/version-tensors.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { DeriveOptions, VersionWeights } from "./creator.ts";

/** `ft:<base>:strata:<suffix>:<id>`, as jobs name what they make; the suffix may be empty. */
const trainedPattern = /^ft:([A-Za-z0-9_.-]+):strata:[A-Za-z0-9_.-]*:[A-Za-z0-9]+$/;

/** INVALID_ARGUMENT that names the field. Whether the id is taken is not asked here. */
export function checkId(id: string): void {
  const fault = idFault(id);
  if (fault !== undefined) refuse("create", "id", fault);
}

/** INVALID_ARGUMENT that names field and limit. */
export function checkLabels(labels: readonly string[], task: TaskName = defaultTask): void {
  const { labelCountMax } = limits;
  const countMin = taskKinds[task].form.labelCountMin;
  if (labels.length < countMin || labels.length > labelCountMax) {
    const range = `${countMin} to ${labelCountMax} labels`;
    refuse("create", "labels", `expected ${range}, got ${labels.length}`);
  }
  const seen = new Set<string>();
  for (const [index, label] of labels.entries()) {
    const reason = labelFault(label) ?? (seen.has(label) ? `"${label}" is there twice` : undefined);
    if (reason !== undefined) refuse("create", `labels[${index}]`, reason);
    seen.add(label);
  }
}

/** INVALID_ARGUMENT that names the id. Whether the ids exist is not asked here. */
export function checkDerivation({ ids }: Pick<DeriveOptions, "ids">): void {
  const seen = new Set<string>();
  for (const [index, id] of ids.entries()) {
    const reason = idFault(id) ?? (seen.has(id) ? `"${id}" is there twice` : undefined);
    if (reason !== undefined) refuse("derive", `ids[${index}]`, reason);
    seen.add(id);
  }
}

/** INVALID_ARGUMENT when the labels of so many models are too much for one derivation. */
export function checkDerivedLabels(labels: readonly string[], modelCount: number): void {
  const { derivedLabelBytesMax } = limits;
  const bytes = Buffer.byteLength(JSON.stringify(labels));
  if (modelCount * bytes <= derivedLabelBytesMax) return;
  const state =
    `the labels of ${modelCount} models take ${modelCount * bytes} bytes, the limit is ` +
    `${derivedLabelBytesMax}; derive at most ${Math.floor(derivedLabelBytesMax / bytes)} at once`;
  refuse("derive", "ids", state);
}

/**
 * INVALID_ARGUMENT when a number is not finite, as after a training that went astray. Tensors that
 * do not fit the base, the adapter and the labels are our bug.
 */
export function checkWeights(
  { id: model }: ModelIdentity,
  weights: VersionWeights,
  config: EncoderConfig,
): void {
  const { adapter, task, labels, tensors } = weights;
  const rank = adapter?.rank ?? 1;
  assert(rank >= 1 && rank <= limits.adapterRankMax, "The rank is in its limits");
  const outputCount = taskKinds[task].outputCount(labels.length);
  const wanted = versionTensors(config, { adapter, outputCount });
  const fault = faultOfShapes(shapesOf(tensors), wanted);
  assert(fault === undefined, `The weights fit adapter and labels: ${fault}`);
  for (const [name, { values }] of weights.tensors) {
    const position = values.findIndex((value) => !Number.isFinite(value));
    if (position === -1) continue;
    const state = `tensor "${name}" holds ${values[position]} at position ${position}`;
    throw new StrataError("INVALID_ARGUMENT", `Cannot publish a version of "${model}": ${state}`);
  }
  for (const [name, value] of Object.entries(weights.metrics))
    assert(Number.isFinite(value), `Metric "${name}" is a number`);
}

function idFault(id: string): string | undefined {
  if (!id.startsWith("ft:")) return nameFault(id);
  if (id.length > limits.modelIdCharactersMax)
    return `expected at most ${limits.modelIdCharactersMax} characters, got ${id.length}`;
  return trainedPattern.test(id)
    ? undefined
    : `expected "ft:<base>:strata:<suffix>:<id>" after "ft:", got "${id}"`;
}

function refuse(action: string, field: string, state: string): never {
  const message = `Cannot ${action} model: ${field}: ${state}`;
  throw new StrataError("INVALID_ARGUMENT", message, { field });
}
