/** What the blob of a version holds: its adapter, where there is one, and its head. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import type { WeightShape } from "../entities/weights.ts";
import { adapterTensors } from "./adapter.ts";
import { headTensors } from "./head.ts";

/** All tensors of a version with this adapter, if any, and number of labels. */
export function versionTensors(
  config: EncoderConfig,
  { adapter, labelCount }: VersionSize,
): readonly WeightShape[] {
  const adapters = adapter === undefined ? [] : adapterTensors(config, adapter.rank);
  return [...adapters, ...headTensors(config, labelCount)];
}

export interface VersionSize {
  readonly adapter: AdapterSpecification | undefined;
  readonly labelCount: number;
}
