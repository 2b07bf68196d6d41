/** The operators of neural networks: reductions, softmax, normalisation, attention, losses. */
import { isSameShape, type Shape, showShape } from "../dimension.ts";
import {
  describe,
  first,
  only,
  type Operator,
  pair,
  reject,
  type Tensor,
  type TensorType,
  triple,
} from "../tensor.ts";
import {
  cast,
  div,
  equal,
  exp,
  less,
  max,
  mul,
  neg,
  scalarOf,
  sqrt,
  sub,
  where,
} from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import {
  at,
  axesOf,
  reduced,
  reducedCount,
  reduceSum,
  reshape,
  sizeOf,
  transpose,
  unreduce,
} from "./shape.ts";

const meanOperator: Operator = {
  name: "reduceMean",
  infer: (inputs, attributes) => [
    { type: "float32", shape: reduced("reduceMean", floats("reduceMean", inputs), attributes) },
  ],
  gradient(node, [dy]) {
    const x = first(node.inputs);
    if (dy === undefined) return [];
    const count = sizeOf(dy.node.graph, reducedCount(x, axesOf(node.attributes)));
    return [unreduce(div(dy, count), node.attributes, x.shape)];
  },
};

export function reduceMean(x: Tensor, axes: readonly number[], keepDimensions = false): Tensor {
  if (axes.length === 0) return x;
  return only(x.node.graph.apply(meanOperator, [x], { axes, keepDimensions }));
}

const squaresOperator: Operator = {
  name: "reduceSumSquare",
  infer: (inputs, attributes) => [
    {
      type: "float32",
      shape: reduced("reduceSumSquare", floats("reduceSumSquare", inputs), attributes),
    },
  ],
  gradient(node, [dy]) {
    const x = first(node.inputs);
    if (dy === undefined) return [];
    return [mul(mul(x, scalarOf(x, 2)), unreduce(dy, node.attributes, x.shape))];
  },
};

/** Sum of the squares over `axes`. */
export function reduceSumSquare(
  x: Tensor,
  axes: readonly number[],
  keepDimensions = false,
): Tensor {
  if (axes.length === 0) return mul(x, x);
  return only(x.node.graph.apply(squaresOperator, [x], { axes, keepDimensions }));
}

const maxOperator: Operator = {
  name: "reduceMax",
  infer: (inputs, attributes) => [
    { type: "float32", shape: reduced("reduceMax", floats("reduceMax", inputs), attributes) },
  ],
  gradient(node, [dy]) {
    const x = first(node.inputs);
    if (dy === undefined) return [];
    const highest = unreduce(only(node), node.attributes, x.shape);
    const isHighest = cast(equal(x, highest), "float32");
    // Equal maxima share the gradient.
    const count = reduceSum(isHighest, axesOf(node.attributes), true);
    return [mul(div(isHighest, count), unreduce(dy, node.attributes, x.shape))];
  },
};

export function reduceMax(x: Tensor, axes: readonly number[], keepDimensions = false): Tensor {
  if (axes.length === 0) return x;
  return only(x.node.graph.apply(maxOperator, [x], { axes, keepDimensions }));
}

/** Softmax over the last axis. */
export const softmax = rowwise("softmax", (y, dy) => mul(y, sub(dy, rowSum(mul(dy, y)))));
/** Logarithm of the softmax over the last axis. */
export const logSoftmax = rowwise("logSoftmax", (y, dy) => sub(dy, mul(exp(y), rowSum(dy))));

/** Softmax over those elements of the last axis for which the bool `mask` holds; others get 0. */
export function maskedSoftmax(x: Tensor, mask: Tensor): Tensor {
  const y = softmax(where(mask, x, scalarOf(x, -1e9)));
  return where(mask, y, scalarOf(x, 0));
}

const layerNormOperator: Operator = {
  name: "layerNorm",
  infer(inputs) {
    const [x, gain, bias] = triple("layerNorm", inputs);
    const width = floats("layerNorm", inputs).shape.slice(-1);
    if (!isSameShape(gain.shape, width) || !isSameShape(bias.shape, width))
      throw reject("layerNorm", `got ${describe(x)}, ${describe(gain)} and ${describe(bias)}`);
    const rows = [...x.shape.slice(0, -1), 1];
    return [
      { type: "float32", shape: x.shape },
      { type: "float32", shape: rows },
      { type: "float32", shape: rows },
    ];
  },
  gradient(node, [dy, ...ofStatistics]) {
    const [x, gain] = pair("layerNorm", node.inputs);
    const [, mean, inverse] = triple("layerNorm", node.outputs);
    if (ofStatistics.some((known) => known !== undefined))
      throw reject("gradient", "layerNorm has no second derivative");
    if (dy === undefined) return [];
    const last = [x.shape.length - 1];
    const rows = x.shape.slice(0, -1).map((_, axis) => axis);
    const normal = mul(sub(x, mean), inverse);
    const d = mul(dy, gain);
    const dx = sub(
      sub(d, reduceMean(d, last, true)),
      mul(normal, reduceMean(mul(d, normal), last, true)),
    );
    return [mul(inverse, dx), reduceSum(mul(dy, normal), rows), reduceSum(dy, rows)];
  },
};

export interface NormWeights {
  /** `[hidden]` each. */
  readonly gain: Tensor;
  readonly bias: Tensor;
  readonly epsilon: number;
}

/** Layer normalisation over the last axis (Ba et al. 2016). */
export function layerNorm(x: Tensor, { gain, bias, epsilon }: NormWeights): Tensor {
  return first(x.node.graph.apply(layerNormOperator, [x, gain, bias], { epsilon }).outputs);
}

const attentionOperator: Operator = {
  name: "attention",
  infer(inputs, attributes) {
    const [query, key, value] = triple("attention", inputs);
    const [lengths, bias] = inputs.slice(3);
    const fits =
      query.shape.length === 3 &&
      isSameShape(key.shape, value.shape) &&
      query.shape[0] === key.shape[0] &&
      query.shape[2] === key.shape[2];
    if (!fits)
      throw reject("attention", `got ${describe(query)}, ${describe(key)}, ${describe(value)}`);
    if (lengths?.type !== "int64" || !isSameShape(lengths.shape, query.shape.slice(0, 1)))
      throw reject("attention", `lengths must be int64 [${query.shape[0]}]`);
    const hidden = query.shape[2];
    const headCount = Number(attributes["headCount"]);
    if (typeof hidden !== "number" || hidden % headCount !== 0)
      throw reject("attention", `${hidden} does not divide by ${headCount} heads`);
    if (bias !== undefined) checkBias(bias, [headCount, at(query.shape, 1), at(key.shape, 1)]);
    const probabilities = [at(query.shape, 0), headCount, at(query.shape, 1), at(key.shape, 1)];
    return [
      { type: "float32", shape: query.shape },
      { type: "float32", shape: probabilities },
    ];
  },
  gradient(node, [dy, ofProbabilities]) {
    if (ofProbabilities !== undefined)
      throw reject("gradient", "attention has no second derivative");
    const [query, key, value] = triple("attention", node.inputs);
    const bias = node.inputs[4];
    if (dy === undefined) return [];
    const count = Number(node.attributes["headCount"]);
    const [q, k, dOut] = [headsOf(query, count), headsOf(key, count), headsOf(dy, count)];
    const alpha = 1 / Math.sqrt(Number(at(q.shape, 3)));
    const [, p] = pair("attention", node.outputs);
    // Values are laid out as columns: a product with many small transposed matrices takes three
    // times as long.
    const dP = matmul(dOut, columnsOf(value, count));
    const dS = mul(p, sub(dP, rowSum(mul(dP, p))));
    return [
      joinHeads(matmul(dS, k, { alpha }), query),
      joinHeads(matmul(dS, q, { transposeA: true, alpha }), key),
      joinHeads(matmul(p, dOut, { transposeA: true }), value),
      undefined,
      ...(bias === undefined ? [] : [reduceSum(dS, [0])]),
    ];
  },
};

function checkBias(bias: TensorType, shape: Shape): void {
  if (bias.type === "float32" && isSameShape(bias.shape, shape)) return;
  throw reject("attention", `bias must be float32 ${showShape(shape)}, got ${describe(bias)}`);
}

export interface AttentionInputs {
  /** `[batch, sequence, hidden]`; keys and values may have another sequence length. */
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
  /** int64 `[batch]`: keys at and after this position are ignored. */
  readonly lengths: Tensor;
  readonly headCount: number;
  /** `[heads, sequence, keys]`, added to the scaled scores of every text of the batch. */
  readonly bias?: Tensor | undefined;
}

/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017), `[batch, sequence, hidden]`. The
 * node's second output is the probabilities `[batch, heads, sequence, keys]`, with zeros where a
 * key is ignored, which the derivative needs.
 */
export function attention(attended: AttentionInputs): Tensor {
  const { query, key, value, lengths, headCount, bias } = attended;
  const inputs = [query, key, value, lengths, ...(bias === undefined ? [] : [bias])];
  return first(query.node.graph.apply(attentionOperator, inputs, { headCount }).outputs);
}

const positionsOperator: Operator = {
  name: "positions",
  infer: (inputs, attributes) => [
    { type: "float32", shape: [at(first(inputs).shape, Number(attributes["axis"]))] },
  ],
  gradient: () => [],
};

/** float32 0, 1, 2, … along an axis of `x`, as a vector. */
export function positions(x: Tensor, axis: number): Tensor {
  return only(x.node.graph.apply(positionsOperator, [x], { axis }));
}

/** `[batch, sequence, hidden]` to `[batch, heads, sequence, hidden / heads]`. */
function headsOf(x: Tensor, headCount: number): Tensor {
  const [batch, sequence, hidden] = [at(x.shape, 0), at(x.shape, 1), Number(at(x.shape, 2))];
  return transpose(reshape(x, [batch, sequence, headCount, hidden / headCount]), [0, 2, 1, 3]);
}

/** `[batch, sequence, hidden]` to `[batch, heads, hidden / heads, sequence]`. */
function columnsOf(x: Tensor, headCount: number): Tensor {
  const [batch, sequence, hidden] = [at(x.shape, 0), at(x.shape, 1), Number(at(x.shape, 2))];
  const columns = transpose(x, [0, 2, 1]);
  return reshape(columns, [batch, headCount, hidden / headCount, sequence]);
}

function joinHeads(x: Tensor, like: Tensor): Tensor {
  return reshape(transpose(x, [0, 2, 1, 3]), like.shape);
}

/** `x / max(‖x‖, 1e-12)` over the last axis. */
export function l2Normalize(x: Tensor): Tensor {
  const norm = sqrt(rowSum(mul(x, x)));
  return div(x, max(norm, scalarOf(x, 1e-12)));
}

/** float32 `[…, depth]`: 1 at the index (int64 `[…]`), else 0. */
export function oneHot(indices: Tensor, depth: number): Tensor {
  const range = indices.node.graph.constant(
    BigInt64Array.from({ length: depth }, (_, index) => BigInt(index)),
    [depth],
  );
  return cast(equal(reshape(indices, [...indices.shape, 1]), range), "float32");
}

/**
 * Cross-entropy per row, `[batch]`, of `logits [batch, classes]` against `targets`, a distribution
 * over the classes in each row.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  if (!isSameShape(logits.shape, targets.shape))
    throw reject("crossEntropy", `got ${describe(logits)} and ${describe(targets)}`);
  return neg(reduceSum(mul(targets, logSoftmax(logits)), [logits.shape.length - 1]));
}

/** Mean of the vectors of `x [batch, sequence, hidden]` at positions below `lengths [batch]`. */
export function maskedMean(x: Tensor, lengths: Tensor): Tensor {
  const count = reshape(cast(lengths, "float32"), [at(x.shape, 0), 1, 1]);
  const position = reshape(positions(x, 1), [1, at(x.shape, 1), 1]);
  const kept = where(less(position, count), x, scalarOf(x, 0));
  return div(reduceSum(kept, [1]), max(reshape(count, [at(x.shape, 0), 1]), scalarOf(x, 1)));
}

function rowwise(name: string, slope: (y: Tensor, dy: Tensor) => Tensor): (x: Tensor) => Tensor {
  const operator: Operator = {
    name,
    infer: (inputs) => [{ type: "float32", shape: floats(name, inputs).shape }],
    gradient: (node, [dy]) => [dy && slope(only(node), dy)],
  };
  return (x) => only(x.node.graph.apply(operator, [x]));
}

/** Sum over the last axis, which stays as size 1. */
function rowSum(x: Tensor): Tensor {
  return reduceSum(x, [x.shape.length - 1], true);
}

/** The first input, which must be an array of float32. */
function floats(name: string, inputs: readonly TensorType[]): TensorType {
  const x = first(inputs);
  if (x.type !== "float32" || x.shape.length === 0)
    throw reject(name, `expected an array of float32, got ${describe(x)}`);
  return x;
}
