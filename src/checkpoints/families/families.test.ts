/** Both families sit their exam; the plain loops read a checkpoint by Hugging Face's names. */
import type { Weights } from "../../entities/weights.ts";
import { present } from "../../foundation/assert.ts";
import { erf } from "../../runtime/reference/erf.ts";
import { examineFamily } from "./conformance.ts";

const [hidden, headCount, layerCount, epsilon] = [8, 2, 3, 1e-5];

const config = {
  hidden_size: hidden,
  num_hidden_layers: layerCount,
  num_attention_heads: headCount,
  intermediate_size: 12,
  vocab_size: 13,
  layer_norm_eps: epsilon,
  hidden_act: "gelu",
};

/** A model in Hugging Face's words: names below a layer, where places begin, what scores get. */
interface Plain {
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly output: string;
  readonly outputNorm: string;
  readonly firstPlace: number;
  readonly hasSegments: boolean;
  readonly bias: (tensors: Weights, head: number, distance: number) => number;
}

type Rows = readonly (readonly number[])[];

function compute(plain: Plain): (tensors: Weights, ids: readonly number[]) => Rows {
  return (tensors, ids) => {
    let rows = norm(tensors, "embeddings.LayerNorm", embedded(plain, tensors, ids));
    for (let layer = 0; layer < layerCount; layer++)
      rows = block(plain, tensors, { at: `encoder.layer.${layer}`, rows });
    return rows;
  };
}

function embedded(plain: Plain, tensors: Weights, ids: readonly number[]): Rows {
  const row = (name: string, index: number): readonly number[] =>
    [...valuesOf(tensors, `embeddings.${name}.weight`)].slice(index * hidden, (index + 1) * hidden);
  return ids.map((id, place) => {
    const parts = [
      row("word_embeddings", id),
      row("position_embeddings", plain.firstPlace + place),
    ];
    if (plain.hasSegments) parts.push(row("token_type_embeddings", 0));
    return parts.reduce(added);
  });
}

interface Below {
  readonly at: string;
  readonly rows: Rows;
}

function block(plain: Plain, tensors: Weights, { at, rows }: Below): Rows {
  const of = (name: string, from: Rows): Rows => dense(tensors, `${at}.${name}`, from);
  const [query, key, value] = [plain.query, plain.key, plain.value].map((name) => of(name, rows));
  const width = hidden / headCount;
  const context = rows.map((_, i) =>
    Array.from({ length: headCount }, (__, head) => {
      const part = (from: Rows | undefined, row: number): readonly number[] =>
        from?.[row]?.slice(head * width, (head + 1) * width) ?? [];
      const scores = rows.map(
        (___, j) =>
          dot(part(query, i), part(key, j)) / Math.sqrt(width) + plain.bias(tensors, head, j - i),
      );
      const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
      return scores
        .map((score, j): readonly number[] =>
          part(value, j).map((x) => (x * Math.exp(score)) / total),
        )
        .reduce(added);
    }).flat(),
  );
  const middle = norm(tensors, `${at}.${plain.outputNorm}`, sums(of(plain.output, context), rows));
  const wide = of("intermediate.dense", middle).map((row) =>
    row.map((x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
  );
  return norm(tensors, `${at}.output.LayerNorm`, sums(of("output.dense", wide), middle));
}

/** y = W x + b, with W `[out, in]`. */
function dense(tensors: Weights, name: string, rows: Rows): Rows {
  const weight = valuesOf(tensors, `${name}.weight`);
  const bias = valuesOf(tensors, `${name}.bias`);
  return rows.map((row) =>
    Array.from(bias, (b, out) => b + dot(row, [...weight.subarray(out * row.length)])),
  );
}

function norm(tensors: Weights, name: string, rows: Rows): Rows {
  const [gain, bias] = ["weight", "bias"].map((part) => valuesOf(tensors, `${name}.${part}`));
  return rows.map((row) => {
    const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
    return row.map(
      (x, i) => ((x - mean) / Math.sqrt(variance + epsilon)) * (gain?.[i] ?? 0) + (bias?.[i] ?? 0),
    );
  });
}

function valuesOf(tensors: Weights, name: string): Float32Array {
  return present(tensors.get(name), "The checkpoint holds what the original reads").values;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, index) => sum + x * (b[index] ?? NaN), 0);
}

function added(a: readonly number[], b: readonly number[]): readonly number[] {
  return a.map((x, index) => x + (b[index] ?? NaN));
}

function sums(a: Rows, b: Rows): Rows {
  return a.map((row, index) => added(row, b[index] ?? []));
}

/** The distance at which each of transformers' buckets begins, below the 20 places of a text. */
const bucketStarts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16];

examineFamily("bert", {
  config: { ...config, model_type: "bert", max_position_embeddings: 20, type_vocab_size: 2 },
  compute: compute({
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    outputNorm: "attention.output.LayerNorm",
    firstPlace: 0,
    hasSegments: true,
    bias: () => 0,
  }),
});

examineFamily("mpnet", {
  config: { ...config, model_type: "mpnet", max_position_embeddings: 22 },
  compute: compute({
    query: "attention.attn.q",
    key: "attention.attn.k",
    value: "attention.attn.v",
    output: "attention.attn.o",
    outputNorm: "attention.LayerNorm",
    firstPlace: 2,
    hasSegments: false,
    bias(tensors, head, distance) {
      const nearest = bucketStarts.findLastIndex((start) => start <= Math.abs(distance));
      const table = valuesOf(tensors, "encoder.relative_attention_bias.weight");
      return table[(distance > 0 ? 16 + nearest : nearest) * headCount + head] ?? NaN;
    },
  }),
});
