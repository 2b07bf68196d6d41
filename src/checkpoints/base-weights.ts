/** A base model's weights in the form and under the names that the graphs of `models/` declare. */
import { present } from "../foundation/assert.ts";
import { quantizeGraph } from "../models/quantize.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import type { Graph, TypedValues } from "../tensor/tensor.ts";
import type { Checkpoint } from "./checkpoints.ts";

/** Values by input name: float32 and int8 forms of every linear layer, norms and embeddings. */
export type BaseWeights = ReadonlyMap<string, TypedValues>;

/** Names in Hugging Face's BERT below `encoder.layer.<i>.`, by ours below `layer.<i>.`. */
const linears = {
  query: "attention.self.query",
  key: "attention.self.key",
  value: "attention.self.value",
  attention: "attention.output.dense",
  inner: "intermediate.dense",
  outer: "output.dense",
} as const;

const norms = {
  "attention.norm": "attention.output.LayerNorm",
  "outer.norm": "output.LayerNorm",
} as const;

/** Reads and prepares all weights; the arithmetic runs on `runtime`. */
export async function loadBaseWeights(
  checkpoint: Checkpoint,
  runtime: Runtime,
): Promise<BaseWeights> {
  const weights = new Map<string, TypedValues>();
  const { config } = checkpoint;
  const read = async (name: string): Promise<Float32Array> =>
    (await checkpoint.tensor(name)).values;
  weights.set("embeddings.word", await read("embeddings.word_embeddings.weight"));
  weights.set("embeddings.position", await read("embeddings.position_embeddings.weight"));
  const segments = await read("embeddings.token_type_embeddings.weight");
  weights.set("embeddings.segment", segments.slice(0, config.hiddenSize));
  weights.set("embeddings.norm.gain", await read("embeddings.LayerNorm.weight"));
  weights.set("embeddings.norm.bias", await read("embeddings.LayerNorm.bias"));
  const quantizer = await runtime.load(quantizeGraph());
  for (let layer = 0; layer < config.layerCount; layer++) {
    const [ours, theirs] = [`layer.${layer}`, `encoder.layer.${layer}`];
    for (const [name, source] of Object.entries(norms)) {
      weights.set(`${ours}.${name}.gain`, await read(`${theirs}.${source}.weight`));
      weights.set(`${ours}.${name}.bias`, await read(`${theirs}.${source}.bias`));
    }
    for (const [name, source] of Object.entries(linears)) {
      weights.set(`${ours}.${name}.bias`, await read(`${theirs}.${source}.bias`));
      const { shape, values } = await checkpoint.tensor(`${theirs}.${source}.weight`);
      const forms = await linearForms(quantizer, { shape, values });
      for (const [form, array] of forms) weights.set(`${ours}.${name}.${form}`, array);
    }
  }
  await quantizer.release();
  return weights;
}

/** Forms of a linear weight `[out, in]`, by the last part of their input names. */
export async function linearForms(
  quantizer: Program,
  { shape, values }: { readonly shape: readonly number[]; readonly values: Float32Array },
): Promise<readonly (readonly [string, TypedValues])[]> {
  // The run takes the buffer over, so that a view into a larger one is copied first.
  const weight = { type: "float32", shape, values: values.slice() } as const;
  const results = await quantizer.run({ weight });
  return [
    "transposed",
    "int8.values",
    "int8.scale",
    "int8-transposed.values",
    "int8-transposed.scale",
  ].map((name) => [
    name === "transposed" ? "weight" : name,
    present(results[name], "An output of the quantise graph").values,
  ]);
}

/** Those inputs of the graph that are weights of the base. */
export function constantsOf(graph: Graph, weights: BaseWeights): Map<string, TypedValues> {
  const constants = new Map<string, TypedValues>();
  for (const name of graph.inputs.keys()) {
    const values = weights.get(name);
    if (values !== undefined) constants.set(name, values);
  }
  return constants;
}
