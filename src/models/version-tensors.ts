/** What the blob of a version holds: its adapter, where there is one, and its head. */
import type { EncoderConfig } from "../entities/base-model.ts";
import type { AdapterSpecification } from "../entities/virtual-model.ts";
import { adapterTensors } from "./adapters/adapters.ts";
import { headTensors } from "./head.ts";
import type { LearnedTensor } from "./learned-tensor.ts";

/** All tensors of a version with this adapter, if any, and a head of so many outputs. */
export function versionTensors(
  config: EncoderConfig,
  { adapter, outputCount }: VersionSize,
): readonly LearnedTensor[] {
  const adapters = adapter === undefined ? [] : adapterTensors(config, adapter);
  return [...adapters, ...headTensors(config, outputCount)];
}

export interface VersionSize {
  readonly adapter: AdapterSpecification | undefined;
  /** The outputs of its head; see `TaskKind.outputCount`. */
  readonly outputCount: number;
}
