/**
 * What encoders with LayerNorm after each block have in common: the attention block and the
 * feed-forward block of Devlin et al. 2019, and how checkpoints write them.
 */
import type { EncoderConfig } from "../../entities/base-model.ts";
import { add, cast, gelu } from "../../tensor/operators/elementwise.ts";
import { attention, positions } from "../../tensor/operators/neural.ts";
import { gather, reshape } from "../../tensor/operators/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { multiply } from "../../tensor/dimension.ts";
import {
  type EncoderScope,
  norm,
  project,
  weight,
  wordEmbeddings,
  wordTable,
} from "../encoder-scope.ts";
import type { CheckpointEntry, CheckpointLayout, LayerInputs } from "../family.ts";
import { noSites, type Projection } from "../layer-sites.ts";

/** What `config.json` calls sizes in BERT, and in what was made after it. */
export const usualSizes = {
  hiddenSize: "hidden_size",
  layerCount: "num_hidden_layers",
  headCount: "num_attention_heads",
  intermediateSize: "intermediate_size",
  vocabularySize: "vocab_size",
  positionCount: "max_position_embeddings",
  layerNormEpsilon: "layer_norm_eps",
  segmentCount: "type_vocab_size",
} as const satisfies CheckpointLayout["sizes"];

/** Words and places; the vectors of these names are added to every place. */
export function embeddedStates(
  scope: EncoderScope,
  ids: Tensor,
  vectors: readonly string[] = [],
): Tensor {
  const { hiddenSize: hidden, positionCount } = scope.config;
  const words = wordEmbeddings(scope);
  const place = { name: "embeddings.position", role: "table" } as const;
  const table = weight(scope, { ...place, shape: [positionCount, hidden] });
  const shared = vectors.map((name) => weight(scope, { name, role: "bias", shape: [hidden] }));
  const places = shared.reduce(add, gather(table, cast(positions(ids, 1), "int64")));
  const states = add(gather(words, ids), places);
  const [batch = 0, sequence = 0] = ids.shape;
  return norm(scope, reshape(states, [multiply(batch, sequence), hidden]), "embeddings.norm");
}

/** One layer; `bias [heads, sequence, sequence]` is added to the scores of its attention. */
export function postNormLayer(scope: EncoderScope, inputs: LayerInputs, bias?: Tensor): Tensor {
  const { hiddenSize: hidden, intermediateSize: inner, headCount } = scope.config;
  const { state, layer, lengths, sequence } = inputs;
  const { sites = noSites } = scope;
  const name = (part: string): string => `layer.${layer}.${part}`;
  const batch = lengths.shape[0] ?? 1;
  const projected = (projection: Projection, input: Tensor, size = hidden): Tensor => {
    // Its input has features that are a hundred times larger than the others, and its rows for them
    // are the largest: rounded, they made up half of all that int8 lost.
    const keepsRows = projection === "outer";
    const output = project(scope, input, { name: name(projection), size, keepsRows });
    return sites.projected({ layer, projection }, input, output);
  };
  const [query, key, value] = (["query", "key", "value"] as const).map((projection) =>
    reshape(projected(projection, state), [batch, sequence, hidden]),
  ) as [Tensor, Tensor, Tensor]; // three names give three tensors
  const context = attention({ query, key, value, lengths, headCount, bias });
  const attended = projected("attention", reshape(context, state.shape));
  const middle = norm(scope, add(attended, state), name("attention.norm"));
  const adapted = sites.adapted(layer, middle);
  const wide = gelu(projected("inner", adapted, inner));
  return norm(scope, add(projected("outer", wide), adapted), outputNormOf(layer));
}

/** The norm that ends a layer. */
export function outputNormOf(layer: number): string {
  return `layer.${layer}.outer.norm`;
}

/** Names in a checkpoint below `encoder.layer.<i>.`. */
export type LayerNames = Readonly<
  Record<
    "query" | "key" | "value" | "attention" | "attention.norm" | "inner" | "outer" | "outer.norm",
    string
  >
>;

/** The entries of words, of what else is `embedded`, of their norm, and of all layers. */
export function postNormEntries(
  config: EncoderConfig,
  names: LayerNames,
  embedded: readonly CheckpointEntry[],
): readonly CheckpointEntry[] {
  const { hiddenSize: hidden, intermediateSize: inner, layerCount, vocabularySize } = config;
  const entries: CheckpointEntry[] = [
    tableEntry("embeddings.word_embeddings.weight", wordTable, [vocabularySize, hidden]),
    ...embedded,
    ...normEntries("embeddings.LayerNorm", "embeddings.norm", hidden),
  ];
  for (let layer = 0; layer < layerCount; layer++) {
    const at = (part: keyof LayerNames): readonly [string, string] => [
      `encoder.layer.${layer}.${names[part]}`,
      `layer.${layer}.${part}`,
    ];
    for (const part of ["query", "key", "value", "attention"] as const)
      entries.push(...linearEntries(...at(part), { shape: [hidden, hidden] }));
    entries.push(...normEntries(...at("attention.norm"), hidden));
    entries.push(...linearEntries(...at("inner"), { shape: [inner, hidden] }));
    entries.push(...linearEntries(...at("outer"), { shape: [hidden, inner], keepsRows: true }));
    entries.push(...normEntries(...at("outer.norm"), hidden));
  }
  return entries;
}

export function tableEntry(
  source: string,
  name: string,
  shape: readonly number[],
): CheckpointEntry {
  return { source, name, shape, role: "table" };
}

/** Checkpoints of the first years call a norm's weight and bias gamma and beta. */
function normEntries(source: string, name: string, size: number): readonly CheckpointEntry[] {
  const entry = (now: string, before: string, role: "gain" | "bias"): CheckpointEntry => ({
    source: `${source}.${now}`,
    olderSource: `${source}.${before}`,
    name: `${name}.${role}`,
    shape: [size],
    role,
  });
  return [entry("weight", "gamma", "gain"), entry("bias", "beta", "bias")];
}

/** A weight of `shape`, `[out, in]`, and a bias of `out`. */
function linearEntries(
  source: string,
  name: string,
  { shape, keepsRows = false }: Pick<CheckpointEntry, "shape" | "keepsRows">,
): readonly CheckpointEntry[] {
  return [
    { source: `${source}.weight`, name, shape, role: "matrix", keepsRows },
    { source: `${source}.bias`, name: `${name}.bias`, shape: shape.slice(0, 1), role: "bias" },
  ];
}
