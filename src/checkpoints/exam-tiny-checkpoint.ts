/** A BERT of three layers of width 4 with six tokens: a whole checkpoint of a few kilobytes. */
import { elementCount } from "../foundation/element-count.ts";
import type { Weight } from "../entities/weights.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";

export const tinyConfig = {
  model_type: "bert",
  hidden_size: 4,
  num_hidden_layers: 3,
  num_attention_heads: 2,
  intermediate_size: 6,
  vocab_size: 6,
  max_position_embeddings: 10,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
  hidden_act: "gelu",
};
export const tinyVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlamp\n";
/** Its files by path. */
export function tinyCheckpoint(): Record<string, string | Uint8Array> {
  return {
    "config.json": JSON.stringify(tinyConfig),
    "vocab.txt": tinyVocabulary,
    "model.safetensors": encodeSafetensors(tinyWeights()),
  };
}

/** All tensors, every one with other values; `norm` names the two parts of a layer norm. */
export function tinyWeights(
  prefix = "",
  norm: readonly string[] = ["weight", "bias"],
): Map<string, Weight> {
  const tensors = new Map<string, Weight>();
  const add = (name: string, ...shape: number[]) => {
    const count = elementCount(shape);
    const values = Float32Array.from({ length: count }, (_, index) => tensors.size + index / 64);
    tensors.set(prefix + name, { shape, values });
  };
  const addNorm = (name: string) => norm.forEach((part) => add(`${name}.${part}`, 4));
  const addLinear = (name: string, outputs: number, inputs: number) => {
    add(`${name}.weight`, outputs, inputs);
    add(`${name}.bias`, outputs);
  };
  add("embeddings.word_embeddings.weight", 6, 4);
  add("embeddings.position_embeddings.weight", 10, 4);
  add("embeddings.token_type_embeddings.weight", 2, 4);
  addNorm("embeddings.LayerNorm");
  for (const layer of ["encoder.layer.0", "encoder.layer.1", "encoder.layer.2"]) {
    for (const part of ["query", "key", "value"])
      addLinear(`${layer}.attention.self.${part}`, 4, 4);
    addLinear(`${layer}.attention.output.dense`, 4, 4);
    addNorm(`${layer}.attention.output.LayerNorm`);
    addLinear(`${layer}.intermediate.dense`, 6, 4);
    addLinear(`${layer}.output.dense`, 4, 6);
    addNorm(`${layer}.output.LayerNorm`);
  }
  return tensors;
}
