/**
 * The version that a model serves, as a new one is judged beside it: what it remembers, and what
 * it answers, by its weights as training runs them. What of it cannot be read is a damage that is
 * told; it keeps no new version from its place.
 */
import type { Caller } from "../entities/caller.ts";
import type { ModelIdentity, Version } from "../entities/virtual-model.ts";
import { faultOfShapes, faultOfValues, shapesOf, type Weights } from "../entities/weights.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import { elementCount } from "../foundation/element-count.ts";
import { StrataError } from "../foundation/errors.ts";
import { answersTo } from "../learning/answers.ts";
import type { Source } from "../learning/sequences.ts";
import type { TrainingBase } from "../learning/training-base.ts";
import {
  adapterTensors,
  allLayers,
  formsIn,
  upperBottleneck,
} from "../models/adapters/adapters.ts";
import { faultOfFit } from "../models/version-fit.ts";
import { versionTensors } from "../models/version-tensors.ts";
import { type Value, valueOfFloats } from "../runtime/runtime.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import { servedVersion } from "../storage/served-version.ts";
import type { Store } from "../storage/storage.ts";
import { decodeEvidence, type Evidence } from "./evidence.ts";

export interface Served {
  readonly version: Version;
  /** Undefined for a version from before it was kept, or when it cannot be read. */
  readonly evidence: Evidence | undefined;
}

/** The store in which the served version is read, and whose it is. */
export interface Reading {
  readonly caller: Caller;
  readonly store: Store;
}

/**
 * The version that is served now, with what can be read of it; undefined while the model has none,
 * NOT_FOUND when it has been deleted.
 */
export async function servedOf(
  { caller, store }: Reading,
  model: ModelIdentity,
  damages: string[] = [],
): Promise<Served | undefined> {
  const { version } = await servedVersion(store.catalog.of(caller), model);
  if (version === undefined) return undefined;
  const { evidence: digest } = version;
  if (digest === undefined) return { version, evidence: undefined };
  const read = async (): Promise<Evidence> => decodeEvidence(await store.blobs.get(digest));
  return { version, evidence: await readableOf(read, damages) };
}

/** Undefined when they cannot be read, or do not fit the version, or that not the base. */
export function weightsOf(
  { store }: Reading,
  { version, base }: { readonly version: Version; readonly base: TrainingBase },
  damages: string[],
): Promise<Weights | undefined> {
  return readableOf(
    async () => checkedWeights(await store.blobs.get(version.blob), version, base),
    damages,
  );
}

function checkedWeights(bytes: Uint8Array, version: Version, base: TrainingBase): Weights {
  const { config } = base.checkpoint;
  const adapters = formsIn(allLayers(config));
  const misfit = faultOfFit(version, { config, form: base.fittedOn.form, adapters })?.state;
  if (misfit !== undefined) throw unreadable(version, misfit);
  const read = decodeWeights(bytes);
  const fault = faultOfShapes(shapesOf(read), tensorsOf(version, base)) ?? faultOfValues(read);
  if (fault !== undefined) throw unreadable(version, fault);
  return read;
}

/** The answer to each text, spelled with the version's labels. */
export async function spelledAnswers(
  base: TrainingBase,
  { version, weights }: { readonly version: Version; readonly weights: Weights },
  source: Source,
): Promise<readonly string[]> {
  const { task, adapter, labels, pooling } = version;
  const { config } = base.checkpoint;
  const kind = taskKinds[task];
  // A head alone runs in the graph of adapters, with one that does nothing.
  const form = adapter ?? upperBottleneck(config, 1);
  const idle = adapter === undefined ? adapterTensors(config, form) : [];
  const tensors = new Map<string, Value>();
  for (const { name, shape } of [...tensorsOf(version, base), ...idle]) {
    const count = elementCount(shape);
    const values = weights.get(name)?.values.slice() ?? new Float32Array(count);
    tensors.set(name, valueOfFloats({ shape, values }));
  }
  const asked = { kind, pooling, labelCount: labels.length, source };
  const answers = await answersTo(base, asked, { method: "adapter", adapter: form, tensors });
  return answers.map((answer) => kind.spelled(answer, labels));
}

function tensorsOf({ task, adapter, labels }: Version, { checkpoint }: TrainingBase) {
  const outputCount = taskKinds[task].outputCount(labels.length);
  return versionTensors(checkpoint.config, { adapter, outputCount });
}

function unreadable({ number }: Version, fault: string): StrataError {
  return new StrataError("CORRUPT", `Cannot read version ${number}: ${fault}`);
}

/** Undefined for bytes that are damaged or gone, which is told among the damages. */
async function readableOf<T>(read: () => Promise<T>, damages: string[]): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof StrataError) || !["CORRUPT", "NOT_FOUND"].includes(error.code))
      throw error;
    damages.push(error.message);
    return undefined;
  }
}
