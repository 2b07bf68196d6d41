/** What the blob of a version holds: its adapter, where there is one, and its head. */
import type { EncoderConfig } from "../entities/base-model.ts";
import { adapterTensors, type LearnedTensor } from "./adapter.ts";
import { headTensors } from "./head.ts";

/** All tensors of a version of this rank, 0 for a head alone, and number of labels. */
export function versionTensors(
  config: EncoderConfig,
  { rank, labelCount }: { readonly rank: number; readonly labelCount: number },
): readonly LearnedTensor[] {
  const adapter = rank === 0 ? [] : adapterTensors(config, rank);
  return [...adapter, ...headTensors(config, labelCount)];
}
