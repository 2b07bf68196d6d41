/** A base model's weights in the form and under the names that the graphs of `models/` declare. */
import type { EncoderConfig } from "../entities/base-model.ts";
import { assert, present } from "../foundation/assert.ts";
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
  const places = placesOf(checkpoint.config);
  const quantizer = await runtime.load(quantizeGraph());
  for await (const [source, tensor] of checkpoint.tensors()) {
    const { name, kind } = present(places.get(source), "Every promised tensor has its place");
    if (kind === "linear")
      for (const [form, array] of await linearForms(quantizer, tensor))
        weights.set(`${name}.${form}`, array);
    // All tokens are of the first segment.
    else if (kind === "segments")
      weights.set(name, tensor.values.slice(0, checkpoint.config.hiddenSize));
    else weights.set(name, tensor.values);
  }
  await quantizer.release();
  return weights;
}

interface Place {
  /** Of the input, without the form of a linear weight. */
  readonly name: string;
  readonly kind: "plain" | "segments" | "linear";
}

/** Where each tensor of a checkpoint goes, by its name there. */
function placesOf(config: EncoderConfig): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const put = (source: string, name: string, kind: Place["kind"] = "plain"): void =>
    void places.set(source, { name, kind });
  const putNorm = (source: string, name: string): void => {
    put(`${source}.weight`, `${name}.gain`);
    put(`${source}.bias`, `${name}.bias`);
  };
  put("embeddings.word_embeddings.weight", "embeddings.word");
  put("embeddings.position_embeddings.weight", "embeddings.position");
  put("embeddings.token_type_embeddings.weight", "embeddings.segment", "segments");
  putNorm("embeddings.LayerNorm", "embeddings.norm");
  for (let layer = 0; layer < config.layerCount; layer++) {
    const [ours, theirs] = [`layer.${layer}`, `encoder.layer.${layer}`];
    for (const [name, source] of Object.entries(norms))
      putNorm(`${theirs}.${source}`, `${ours}.${name}`);
    for (const [name, source] of Object.entries(linears)) {
      put(`${theirs}.${source}.weight`, `${ours}.${name}`, "linear");
      put(`${theirs}.${source}.bias`, `${ours}.${name}.bias`);
    }
  }
  return places;
}

/**
 * Forms of a linear weight `[out, in]`, by the last part of their input names. The run takes the
 * buffer of `values` over, which must hold nothing else.
 */
export async function linearForms(
  quantizer: Program,
  { shape, values }: { readonly shape: readonly number[]; readonly values: Float32Array },
): Promise<readonly (readonly [string, TypedValues])[]> {
  assert(values.byteLength === values.buffer.byteLength, "The values have a buffer of their own");
  const results = await quantizer.run({
    weight: { kind: "value", type: "float32", shape, values },
  });
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
