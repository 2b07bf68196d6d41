/** An encoder of three layers of width 16 with random weights and forty words, in a folder. */
import type { FamilyName } from "../foundation/kind-names.ts";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EncoderConfig } from "../entities/base-model.ts";
import type { Weight } from "../entities/weights.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import { elementCount } from "../foundation/element-count.ts";
import { SeededRandom } from "../foundation/random.ts";
import type { WeightRole } from "../models/declared-weight.ts";
import { wordTable } from "../models/encoder-scope.ts";
import { familyOf } from "../models/families/families.ts";
import { parseConfig } from "./config.ts";

/** The words that it knows: `w0` to `w39`. */
export const smallWords: readonly string[] = Array.from({ length: 40 }, (_, index) => `w${index}`);

/** Each family has its own in the order of their ids. */
const specialTokens: Readonly<Record<FamilyName, readonly string[]>> = {
  bert: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
  mpnet: ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"],
};

/** Writes the checkpoint into a folder of its own, and returns the folder. */
export async function writeSmallCheckpoint(family: FamilyName = "bert"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "strata-small-"));
  const vocabulary = [...specialTokens[family], ...smallWords];
  const config = JSON.stringify({
    model_type: family,
    hidden_size: 16,
    num_hidden_layers: 3,
    num_attention_heads: 2,
    intermediate_size: 24,
    vocab_size: vocabulary.length,
    max_position_embeddings: 32,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
  });
  const weights = encodeSafetensors(weightsOf(parseConfig(config)));
  await writeFile(join(folder, "config.json"), config);
  await writeFile(join(folder, "vocab.txt"), vocabulary.map((token) => `${token}\n`).join(""));
  await writeFile(join(folder, "model.safetensors"), weights);
  return folder;
}

function weightsOf(config: EncoderConfig): Map<string, Weight> {
  const random = new SeededRandom(1);
  const tensors = new Map<string, Weight>();
  for (const { source, name, shape, role } of familyOf(config).checkpoint.tensors(config)) {
    const mean = role === "gain" ? 1 : 0;
    const deviation = name === wordTable ? 1 : deviations[role];
    const length = elementCount(shape);
    const values = Float32Array.from({ length }, () => mean + deviation * random.normal());
    tensors.set(source, { shape, values });
  }
  return tensors;
}

const deviations: Readonly<Record<WeightRole, number>> = {
  matrix: 0.3,
  table: 0.2,
  gain: 0.1,
  bias: 0.1,
};
