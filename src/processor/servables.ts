/** What versions are to the engine: rows of batches, and the weights that these need. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Version } from "../entities/virtual-model.ts";
import { faultOfShapes, type WeightShape } from "../entities/weights.ts";
import { StrataError } from "../foundation/errors.ts";
import { faultOfFit } from "../models/version-fit.ts";
import { versionTensors } from "../models/version-tensors.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import type { BatchRow, Lane } from "../lanes/lane.ts";

/** What rows of a version, or of a bare base, have in common. */
export type RowKind = Omit<BatchRow, "ids" | "resident">;

export interface Servable {
  readonly row: RowKind;
  /** The tensors that the version's blob must hold: always one object, which is known again. */
  readonly tensors: readonly WeightShape[];
}

/** Remembers what it has found of a version for as long as somebody holds that record. */
export class Servables {
  /** What was found, by version and lane: a model may be asked on several in turns. */
  readonly #judged = new WeakMap<Version, WeakMap<Lane, Servable>>();

  /** CONFLICT when the lane does not compute the version, CORRUPT when no lane could. */
  of(version: Version, lane: Lane, config: EncoderConfig): Servable {
    const judged = this.#judged.get(version) ?? new WeakMap<Lane, Servable>();
    const known = judged.get(lane);
    if (known !== undefined) return known;
    const servable = servableOf(version, lane, config);
    this.#judged.set(version, judged.set(lane, servable));
    return servable;
  }
}

function servableOf(version: Version, lane: Lane, config: EncoderConfig): Servable {
  const { form, adapters } = lane;
  const fault = faultOfFit(version, { config, form, adapters });
  if (fault !== undefined) throw new StrataError(fault.code, fault.state);
  const { task, labels, adapter, pooling, shapes } = version;
  const outputCount = taskKinds[task].outputCount(labels.length);
  const tensors = versionTensors(config, { adapter, outputCount });
  const recorded = shapes && faultOfShapes(new Map(Object.entries(shapes)), tensors);
  if (recorded !== undefined) throw new StrataError("CORRUPT", recorded);
  return { row: { pooling, adapter, outputCount }, tensors };
}
