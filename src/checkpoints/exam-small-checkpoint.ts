/** A BERT of three layers of width 16 with random weights and forty words, in a folder. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Weight } from "../entities/weights.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { SeededRandom } from "../foundation/random.ts";

const [hidden, inner, layerCount, positionCount] = [16, 24, 3, 32];
const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/** The words that it knows: `w0` to `w39`. */
export const smallWords: readonly string[] = Array.from({ length: 40 }, (_, index) => `w${index}`);

const vocabulary = [...special, ...smallWords];

/** Writes the checkpoint into a folder of its own, and returns the folder. */
export async function writeSmallCheckpoint(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "strata-small-"));
  const config = {
    model_type: "bert",
    hidden_size: hidden,
    num_hidden_layers: layerCount,
    num_attention_heads: 2,
    intermediate_size: inner,
    vocab_size: vocabulary.length,
    max_position_embeddings: positionCount,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  };
  await writeFile(join(folder, "config.json"), JSON.stringify(config));
  await writeFile(join(folder, "vocab.txt"), vocabulary.map((token) => `${token}\n`).join(""));
  await writeFile(join(folder, "model.safetensors"), encodeSafetensors(weights()));
  return folder;
}

function weights(): Map<string, Weight> {
  const random = new SeededRandom(1);
  const tensors = new Map<string, Weight>();
  const add = (name: string, shape: readonly number[], deviation: number): void => {
    const mean = name.endsWith("LayerNorm.weight") ? 1 : 0;
    const length = shape.reduce((product, size) => product * size, 1);
    const values = Float32Array.from({ length }, () => mean + deviation * random.normal());
    tensors.set(name, { shape, values });
  };
  const addNorm = (name: string): void => {
    for (const part of ["weight", "bias"]) add(`${name}.${part}`, [hidden], 0.1);
  };
  const addLinear = (name: string, outputs: number, inputs: number): void => {
    add(`${name}.weight`, [outputs, inputs], 0.3);
    add(`${name}.bias`, [outputs], 0.1);
  };
  add("embeddings.word_embeddings.weight", [vocabulary.length, hidden], 1);
  add("embeddings.position_embeddings.weight", [positionCount, hidden], 0.2);
  add("embeddings.token_type_embeddings.weight", [2, hidden], 0.2);
  addNorm("embeddings.LayerNorm");
  for (let index = 0; index < layerCount; index++) {
    const layer = `encoder.layer.${index}`;
    for (const part of ["query", "key", "value"])
      addLinear(`${layer}.attention.self.${part}`, hidden, hidden);
    addLinear(`${layer}.attention.output.dense`, hidden, hidden);
    addNorm(`${layer}.attention.output.LayerNorm`);
    addLinear(`${layer}.intermediate.dense`, inner, hidden);
    addLinear(`${layer}.output.dense`, hidden, inner);
    addNorm(`${layer}.output.LayerNorm`);
  }
  return tensors;
}
