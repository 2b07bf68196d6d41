/**
 * How each operator is written in ONNX. Choices between equal formulations follow measurement on
 * CPU: Add + LayerNormalization rather than the fused Skip form, Gemm for two-dimensional products,
 * FusedMatMul for transposed batched ones, the standard `Attention` of opset 24 with lengths.
 */
import { present } from "../../foundation/assert.ts";
import type { Dimension, Shape } from "../dimension.ts";
import { axesOf, sizesOf } from "../operators/shape.ts";
import { type DataType, type Node, pair, type Tensor } from "../tensor.ts";
import { addsBias, lowerGelu, productFactor } from "./gelu.ts";
import type { Lowering } from "./lowering.ts";
import { microsoft, type OnnxAttribute, onnxTypes } from "./model.ts";

type Rule = (lowering: Lowering, node: Node) => void;

interface Form {
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  readonly domain?: string;
  /** Inputs after those of the node. */
  readonly extra?: readonly string[];
}

export const lowerings: Readonly<Record<string, Rule>> = {
  neg: direct("Neg"),
  exp: direct("Exp"),
  sqrt: direct("Sqrt"),
  sigmoid: direct("Sigmoid"),
  round: direct("Round"),
  gelu: lowerGelu,
  add: direct("Add"),
  sub: direct("Sub"),
  mul: direct("Mul"),
  div: direct("Div"),
  max: direct("Max"),
  min: direct("Min"),
  equal: direct("Equal"),
  greater: direct("Greater"),
  less: direct("Less"),
  where: direct("Where"),
  cast: direct("Cast", (_, { attributes }) => ({
    attributes: { to: { int: onnxTypes[attributes["to"] as DataType] } }, // set by `cast`
  })),
  softmax: direct("Softmax", () => ({ attributes: { axis: { int: -1 } } })),
  logSoftmax: direct("LogSoftmax", () => ({ attributes: { axis: { int: -1 } } })),
  transpose: direct("Transpose", (_, { attributes }) => ({
    attributes: { perm: { ints: axesOf(attributes) } },
  })),
  concat: direct("Concat", (_, { attributes }) => ({
    attributes: { axis: { int: Number(attributes["axis"]) } },
  })),
  split: lowerSplit,
  gather: direct("Gather"),
  slice: direct("Slice", (lowering, { attributes: { axis, start, end } }) => ({
    extra: [start, end, axis].map((value) => lowering.integers([Number(value)])),
  })),
  reduceSum: lowerReduceSum,
  reduceSumSquare: direct("ReduceSumSquare", reduction),
  reduceMean: direct("ReduceMean", reduction),
  reduceMax: direct("ReduceMax", reduction),
  reshape: direct("Reshape", (lowering, node) => ({ extra: [reshapeTarget(lowering, node)] })),
  broadcastTo: direct("Expand", (lowering, node) => ({
    extra: [shapeVector(lowering, outputOf(node).shape)],
  })),
  linear: lowerLinear,
  matmul: lowerMatmul,
  quantizedMatmul: lowerQuantizedMatmul,
  scatterAdd: lowerScatterAdd,
  layerNorm: direct("LayerNormalization", (_, { attributes }) => ({
    attributes: { axis: { int: -1 }, epsilon: { float: Number(attributes["epsilon"]) } },
  })),
  attention: lowerAttention,
  size(lowering, node) {
    const [dimension] = node.attributes["shape"] as Shape; // set by `sizeOf`
    lowerFloats(lowering, node, scalarDimension(lowering, dimension));
  },
  positions(lowering, node) {
    const [zero, one] = [lowering.integers([0], false), lowering.integers([1], false)];
    const limit = scalarDimension(lowering, outputOf(node).shape[0]);
    lowerFloats(lowering, node, lowering.emit("Range", [zero, limit, one]));
  },
};

/** One ONNX operator with the same inputs in the same order. */
function direct(
  operator: string,
  form: (lowering: Lowering, node: Node) => Form = () => ({}),
): Rule {
  return (lowering, node) => {
    const { attributes = {}, domain = "", extra = [] } = form(lowering, node);
    const inputs = [...node.inputs.map((input) => lowering.name(input)), ...extra];
    lowering.nodes.push({
      operator,
      domain,
      inputs,
      outputs: lowering.outputsOf(node),
      attributes,
    });
  };
}

function reduction(lowering: Lowering, { attributes }: Node): Form {
  return {
    attributes: { keepdims: { int: attributes["keepDimensions"] === true ? 1 : 0 } },
    extra: [lowering.integers(axesOf(attributes))],
  };
}

function lowerSplit(lowering: Lowering, node: Node): void {
  const inputs = node.inputs.map((input) => lowering.name(input));
  // Each part has a name, also one that nobody reads.
  const outputs = lowering
    .outputsOf(node)
    .map((name, index) => (name === "" ? `part ${node.id} ${index}` : name));
  lowering.nodes.push({
    operator: "Split",
    domain: "",
    inputs: [...inputs, shapeVector(lowering, sizesOf(node.attributes))],
    outputs,
    attributes: { axis: { int: Number(node.attributes["axis"]) } },
  });
}

/** Sums of columns, such as the gradients of biases, are products: four times as fast on CPU. */
function lowerReduceSum(lowering: Lowering, node: Node): void {
  const [x] = node.inputs;
  const isOfColumns = x?.shape.length === 2 && axesOf(node.attributes).join() === "0";
  if (!isOfColumns || x.type !== "float32") return direct("ReduceSum", reduction)(lowering, node);
  const [rows = 0] = x.shape;
  const shape = node.attributes["keepDimensions"] === true ? [1, rows] : [rows];
  const ones = lowering.once(`ones ${shape.join()}`, () =>
    lowering.emit("Expand", [lowering.float(1), shapeVector(lowering, shape)]),
  );
  lowering.emit("MatMul", [ones, lowering.name(x)], { output: lowering.outputsOf(node)[0] ?? "" });
}

/** Reshape's own notation where it suffices: 0 copies a dimension, one -1 is inferred. */
function reshapeTarget(lowering: Lowering, node: Node): string {
  const [x] = node.inputs;
  const { shape } = outputOf(node);
  const literal = shape.map((size, axis) => {
    if (typeof size === "number") return size;
    return x?.shape[axis] === size ? 0 : -1;
  });
  const inferredCount = literal.filter((size) => size === -1).length;
  // 0 and -1 do not go together: with a copied size of 0 nothing can be inferred.
  const isAmbiguous = inferredCount > 1 || (inferredCount === 1 && literal.includes(0));
  return isAmbiguous || shape.includes(0)
    ? shapeVector(lowering, shape)
    : lowering.integers(literal);
}

/** int64 scalar with the value of a dimension. */
function scalarDimension(lowering: Lowering, dimension: Dimension | undefined): string {
  const vector = lowering.dimension(present(dimension, "the operator's maker names a dimension"));
  return lowering.emit("Squeeze", [vector, lowering.integers([0])]);
}

/** The node's result is that of integers, as float32. */
function lowerFloats(lowering: Lowering, node: Node, integers: string): void {
  const attributes = { to: { int: onnxTypes.float32 } };
  lowering.emit("Cast", [integers], { attributes, output: lowering.outputsOf(node)[0] ?? "" });
}

/** int64 vector with the values of a shape. */
function shapeVector(lowering: Lowering, shape: Shape): string {
  if (shape.every((size) => typeof size === "number")) return lowering.integers(shape);
  return lowering.once(`shape ${shape.join()}`, () => {
    const sizes = shape.map((size) => lowering.dimension(size));
    return lowering.emit("Concat", sizes, { attributes: { axis: { int: 0 } } });
  });
}

function lowerLinear(lowering: Lowering, node: Node): void {
  const inputs = node.inputs.map((input) => lowering.name(input));
  const [output = ""] = lowering.outputsOf(node);
  const isBiased = !addsBias(lowering, outputOf(node));
  const attributes = { alpha: { float: productFactor(lowering, node) } };
  lowering.emit("Gemm", isBiased ? inputs : inputs.slice(0, 2), { attributes, output });
}

function lowerMatmul(lowering: Lowering, node: Node): void {
  const [a, b] = pair("matmul", node.inputs);
  const { transposeA, transposeB } = node.attributes;
  const alpha = Number(node.attributes["alpha"]);
  const output = lowering.outputsOf(node)[0] ?? "";
  const inputs = [lowering.name(a), lowering.name(b)];
  const transA = { int: transposeA === true ? 1 : 0 };
  const transB = { int: transposeB === true ? 1 : 0 };
  if (a.shape.length === 2 && b.shape.length === 2) {
    const attributes = { transA, transB, alpha: { float: alpha } };
    lowering.emit("Gemm", inputs, { attributes, output });
  } else if (transA.int + transB.int === 0 && alpha === 1) {
    lowering.emit("MatMul", inputs, { output });
  } else {
    const attributes = { transA, transB, alpha: { float: alpha } };
    lowering.emit("FusedMatMul", inputs, { attributes, domain: microsoft, output });
  }
}

/**
 * q = round(x / s) + z as uint8, with s and z per row, then x W + b = s (q - 128) W +
 * [s (128 - z), 1] [1 W; b], and x at kept places times the rows there. Rows are quantised once per
 * distinct `x`, however many products read it. Activations are unsigned: int8 by int8 is ten times
 * slower on CPU.
 */
function lowerQuantizedMatmul(lowering: Lowering, node: Node): void {
  const [x, values, columnScale, bias] = node.inputs
    .slice(0, 4)
    .map((input) => lowering.name(input)) as [string, string, string, string]; // the operator's own
  const { quantized, scale, shift } = quantizedRows(lowering, x);
  const middle = lowering.constant("uint8", Uint8Array.of(128));
  const product = lowering.emit(
    "MatMulIntegerToFloat",
    [quantized, values, lowering.float(1), columnScale, middle],
    { domain: microsoft },
  );
  // 1 W: ONNX Runtime computes it once, when the session is made. As a sum of floats it would turn
  // all weights into floats on the way, whose memory stays with the thread.
  const columnSums = lowering.once(`column sums ${values}`, () => {
    const [depth = 0] = node.inputs[1]?.shape ?? [];
    const size = shapeVector(lowering, [1, depth]);
    const ones = lowering.emit("Expand", [lowering.constant("uint8", Uint8Array.of(1)), size]);
    const none = lowering.constant("uint8", Uint8Array.of(0));
    return lowering.emit(
      "MatMulIntegerToFloat",
      [ones, values, lowering.float(1), columnScale, none],
      { domain: microsoft },
    );
  });
  const scaled = lowering.emit("Mul", [product, scale]);
  const ones = lowering.once(`ones ${x}`, () =>
    lowering.emit("Expand", [lowering.float(1), lowering.emit("Shape", [shift])]),
  );
  const biasRow = lowering.emit("Unsqueeze", [bias, lowering.integers([0])]);
  // What rows have at the places of kept ones goes the way of shift and bias, which costs nothing.
  const [keptColumns, keptRows] = keptParts(lowering, node, x);
  const columnParts = [shift, ones, ...keptColumns];
  const column = lowering.once(`columns ${columnParts.join()}`, () =>
    lowering.emit("Concat", columnParts, { attributes: { axis: { int: 1 } } }),
  );
  const rowParts = [columnSums, biasRow, ...keptRows];
  const rows = lowering.emit("Concat", rowParts, { attributes: { axis: { int: 0 } } });
  lowering.emit("Gemm", [column, rows, scaled], { output: lowering.outputsOf(node)[0] ?? "" });
}

/** Columns of `x` and the kept rows by which they multiply; nothing where none are kept. */
function keptParts(
  lowering: Lowering,
  node: Node,
  x: string,
): readonly [columns: readonly string[], rows: readonly string[]] {
  if (node.attributes["keepsRows"] !== true) return [[], []];
  const [places, rows] = pair("quantizedMatmul", node.inputs.slice(4));
  const names = [x, lowering.name(places)];
  const columns = lowering.emit("Gather", names, { attributes: { axis: { int: 1 } } });
  return [[columns], [lowering.name(rows)]];
}

/** The rows of `x` as uint8, and as `[rows, 1]` their scales s and s (128 - z). */
function quantizedRows(
  lowering: Lowering,
  x: string,
): Readonly<Record<"quantized" | "scale" | "shift", string>> {
  const zero = lowering.float(0);
  const end = (reduction: string, bound: string): string =>
    lowering.once(`${bound} ${x}`, () => {
      const attributes = { keepdims: { int: 0 } };
      const found = lowering.emit(reduction, [x, lowering.integers([-1])], { attributes });
      return lowering.emit(bound, [found, zero]);
    });
  const [highest, lowest] = [end("ReduceMax", "Max"), end("ReduceMin", "Min")];
  const scale = lowering.once(`row scale ${x}`, () => {
    const step = lowering.emit("Mul", [
      lowering.emit("Sub", [highest, lowest]),
      lowering.float(1 / 255),
    ]);
    return lowering.emit("Max", [step, lowering.float(1e-9)]);
  });
  const middle = lowering.once(`row zero ${x}`, () =>
    lowering.emit("Round", [lowering.emit("Div", [lowering.emit("Neg", [lowest]), scale])]),
  );
  const quantized = lowering.once(`row values ${x}`, () => {
    const cast = { attributes: { to: { int: onnxTypes.uint8 } } };
    const zeros = lowering.emit("Cast", [middle], cast);
    return lowering.emit("QuantizeLinear", [x, scale, zeros], { attributes: { axis: { int: 0 } } });
  });
  const column = (name: string, vector: () => string): string =>
    lowering.once(`${name} ${x}`, () =>
      lowering.emit("Unsqueeze", [vector(), lowering.integers([-1])]),
    );
  const shift = (): string => {
    const distance = lowering.emit("Sub", [lowering.float(128), middle]);
    return lowering.emit("Mul", [scale, distance]);
  };
  return {
    quantized,
    scale: column("scale column", () => scale),
    shift: column("shift column", shift),
  };
}

function lowerScatterAdd(lowering: Lowering, node: Node): void {
  const [table, indices, updates] = node.inputs.map((input) => lowering.name(input));
  const attributes = { to: { int: onnxTypes.int64 } };
  const rows = lowering.emit("Cast", [indices ?? ""], { attributes });
  const column = lowering.emit("Unsqueeze", [rows, lowering.integers([-1])]);
  lowering.emit("ScatterND", [table ?? "", column, updates ?? ""], {
    attributes: { reduction: { string: "add" } },
    output: lowering.outputsOf(node)[0] ?? "",
  });
}

function lowerAttention(lowering: Lowering, node: Node): void {
  const names = node.inputs.map((input) => lowering.name(input));
  const [query = "", key = "", value = "", lengths = "", bias] = names;
  const heads = { int: Number(node.attributes["headCount"]) };
  const first = lowering.integers([0]);
  // A mask of floats is added to the scores; one for all texts has a batch of 1.
  const mask =
    bias === undefined
      ? ""
      : lowering.once(`mask ${bias}`, () => lowering.emit("Unsqueeze", [bias, first]));
  // Inputs 5 and 6 (past key, past value) are absent.
  const inputs = [query, key, value, mask, "", "", lengths];
  const [output = "", probabilities = ""] = lowering.outputsOf(node);
  const attributes = { q_num_heads: heads, kv_num_heads: heads };
  if (probabilities === "") {
    lowering.emit("Attention", inputs, { attributes, output });
    return;
  }
  // The fourth output is what the mode says: 3 is the scores after the softmax.
  lowering.nodes.push({
    operator: "Attention",
    domain: "",
    inputs,
    outputs: [output, "", "", probabilities],
    attributes: { ...attributes, qk_matmul_output_mode: { int: 3 } },
  });
}

function outputOf(node: Node): Tensor {
  return present(node.outputs[0], "Every node has an output");
}
