/** The kinds of adapters that there are, by name, and the layers in which they may act. */
import { type AdapterKindName, defaultAdapter } from "../../foundation/kind-names.ts";
import type { EncoderConfig } from "../../entities/base-model.ts";
import type { AdapterSpecification } from "../../entities/virtual-model.ts";
import type { Graph } from "../../tensor/tensor.ts";
import type { AdapterForm, AdapterKind, PooledPlace } from "../adapter-kind.ts";
import { joinedSites, type LayerSites } from "../layer-sites.ts";
import type { LearnedTensor } from "../learned-tensor.ts";
import { bottleneck } from "./bottleneck.ts";
import { lora } from "./lora.ts";

export const adapterKinds: Readonly<Record<AdapterKindName, AdapterKind>> = { bottleneck, lora };

/** The tensors of an adapter, in the order in which they lie in a blob. */
export function adapterTensors(
  config: EncoderConfig,
  adapter: AdapterSpecification,
): readonly LearnedTensor[] {
  return adapterKinds[adapter.kind].tensors(config, adapter);
}

/**
 * What sequences with adapters of these forms, each with its own or with none, do in a layer. The
 * adapters of a kind run over their own rows alone, which the input `rowsInput` of the kind names.
 */
export function pooledSites(
  graph: Graph,
  config: EncoderConfig,
  { adapters, ...place }: PooledAdapters,
): LayerSites {
  return joinedSites(
    adapters.map(({ kind, layers }) => {
      const rows = graph.input(rowsInput(kind), "int32", [`${kind}Rows`]);
      return adapterKinds[kind].pooled(graph, config, { ...place, layers, rows });
    }),
  );
}

export function rowsInput(kind: AdapterKindName): string {
  return `adapter.${kind}.rows`;
}

/** Adapters of all kinds in these layers: what a graph that serves them takes. */
export function formsIn(layers: readonly number[]): readonly AdapterForm[] {
  return Object.values(adapterKinds).map(({ name: kind }) => ({ kind, layers }));
}

export interface PooledAdapters extends Omit<PooledPlace, "layers" | "rows"> {
  readonly adapters: readonly AdapterForm[];
}

/** The layers that every form of a base computes, and that therefore can always be adapted. */
export function upperLayers(config: EncoderConfig): readonly number[] {
  return allLayers(config).slice(config.shallowLayerCount);
}

/** Whether the adapter leaves the shallow part as it is, so that its states can be kept. */
export function actsAbove({ layers }: AdapterForm, config: EncoderConfig): boolean {
  return layers.every((layer) => layer >= config.shallowLayerCount);
}

/** The layers that a dense base computes. */
export function allLayers({ layerCount }: EncoderConfig): readonly number[] {
  return Array.from({ length: layerCount }, (_, layer) => layer);
}

/** Whether a graph that takes these adapters computes that one as a whole. */
export function computes(adapters: readonly AdapterForm[], { kind, layers }: AdapterForm): boolean {
  return adapters.some(
    (form) => form.kind === kind && layers.every((layer) => form.layers.includes(layer)),
  );
}

/** What is learned where nothing else is asked for: a bottleneck in the upper layers. */
export function upperBottleneck(config: EncoderConfig, rank: number): AdapterSpecification {
  return { ...upperForm(config), rank };
}

export function upperForm(config: EncoderConfig): AdapterForm {
  return { kind: defaultAdapter.kind, layers: upperLayers(config) };
}
