/** Matrix products: plain, of a linear layer, and of a linear layer with int8 weights. */
import { broadcast, type Dimension } from "../dimension.ts";
import {
  describe,
  type Node,
  only,
  type Operator,
  pair,
  reject,
  type Tensor,
  type TensorType,
  triple,
} from "../tensor.ts";
import { at, reduceSum, sumTo, zerosOf } from "./shape.ts";

export interface MatmulOptions {
  /** Use the transpose of the last two axes of `a` or `b`. */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Factor of the product. */
  readonly alpha?: number;
}

const matmulOperator: Operator = {
  name: "matmul",
  infer(inputs, attributes) {
    const [a, b] = pair("matmul", inputs);
    const [rows, inner] = lastTwo("matmul", a, attributes["transposeA"] === true);
    const [innerOfB, columns] = lastTwo("matmul", b, attributes["transposeB"] === true);
    const batch = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    if (inner !== innerOfB || batch === undefined || a.type !== "float32" || b.type !== "float32")
      throw reject("matmul", `${describe(a)} does not multiply ${describe(b)}`);
    return [{ type: "float32", shape: [...batch, rows, columns] }];
  },
  gradient(node, [dy]) {
    const [a, b] = pair("matmul", node.inputs);
    if (dy === undefined) return [];
    const options = node.attributes as MatmulOptions; // set by `matmul`
    const { transposeA = false, transposeB = false, alpha = 1 } = options;
    const da = transposeA
      ? matmul(b, dy, { transposeA: transposeB, transposeB: true, alpha })
      : matmul(dy, b, { transposeB: !transposeB, alpha });
    const db = transposeB
      ? matmul(dy, a, { transposeA: true, transposeB: transposeA, alpha })
      : matmul(a, dy, { transposeA: !transposeA, alpha });
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  },
};

/** `alpha · a b` over the last two axes; the leading ones broadcast. */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  const attributes = { transposeA, transposeB, alpha };
  return only(a.node.graph.apply(matmulOperator, [a, b], attributes));
}

const linearOperator: Operator = {
  name: "linear",
  infer(inputs) {
    const [x, weight, bias] = triple("linear", inputs);
    const [inner, outer] = lastTwo("linear", weight, false);
    if (x.shape.length !== 2 || at(x.shape, 1) !== inner || weight.shape.length !== 2)
      throw reject("linear", `${describe(x)} does not multiply ${describe(weight)}`);
    if (bias.shape.length !== 1 || at(bias.shape, 0) !== outer)
      throw reject("linear", `bias ${describe(bias)} does not fit ${describe(weight)}`);
    return [{ type: "float32", shape: [at(x.shape, 0), outer] }];
  },
  gradient(node, [dy]) {
    const [x, weight] = pair("linear", node.inputs);
    if (dy === undefined) return [];
    return [
      matmul(dy, weight, { transposeB: true }),
      matmul(x, dy, { transposeA: true }),
      reduceSum(dy, [0]),
    ];
  },
};

/** `x W + b` for `x [rows, in]`, `weight [in, out]`, `bias [out]`. */
export function linear(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  return only(x.node.graph.apply(linearOperator, [x, weight, bias]));
}

/** A frozen weight matrix in int8: `weight ≈ values · scale`, scales per column. */
export interface QuantizedWeight {
  /** int8 `[in, out]`, in -127 … 127. */
  readonly values: Tensor;
  /** float32 `[out]`. */
  readonly scale: Tensor;
  /** float32 `[out]`, added to the product. */
  readonly bias?: Tensor;
  /** Rows that are kept in float32; those of `values` are zeros. */
  readonly kept?: KeptRows;
}

export interface KeptRows {
  /** int32 `[kept]`: which rows they are. */
  readonly places: Tensor;
  /** float32 `[kept, out]`. */
  readonly rows: Tensor;
}

/** How many inputs of the operator are those of the forward product, with rows kept or without. */
function forwardCount({ attributes }: Node): number {
  return attributes["keepsRows"] === true ? 6 : 4;
}

const quantizedOperator: Operator = {
  name: "quantizedMatmul",
  infer(inputs, { keepsRows }) {
    const [x, values, scale] = triple("quantizedMatmul", inputs);
    checkQuantized(x, values, scale);
    if (keepsRows === true) checkKept(inputs.slice(4, 6), values);
    return [{ type: "float32", shape: [at(x.shape, 0), at(values.shape, 1)] }];
  },
  gradient(node: Node, [dy]) {
    const [values, scale] = node.inputs.slice(forwardCount(node));
    if (dy === undefined) return [];
    if (values === undefined || scale === undefined)
      throw reject("gradient", "quantizedMatmul was given no transposed weights");
    // Straight through the rounding (Bengio et al. 2013): the gradient of the exact product.
    const dx = quantizedMatmul(dy, { values, scale });
    return [dx, undefined, undefined, reduceSum(dy, [0])];
  },
};

/**
 * `x W + b` for `x [rows, in]` with frozen int8 weights. Each row of `x` is quantised on its own,
 * by s = max((max(row, 0) - min(row, 0)) / 255, 1e-9), z = round(-min(row, 0) / s) and
 * q = round(x / s) + z in 0 … 255: a row's result depends on that row alone. What `x` has at the
 * places of kept rows multiplies these as it is.
 * The gradient by `x` multiplies by `transposed`, the same weights quantised as `[out, in]`, and
 * cannot be built without it.
 */
export function quantizedMatmul(
  x: Tensor,
  weight: QuantizedWeight,
  transposed?: QuantizedWeight,
): Tensor {
  const bias = weight.bias ?? zerosOf(x.node.graph, weight.scale.shape);
  const backward = transposed === undefined ? [] : [transposed.values, transposed.scale];
  const { kept } = weight;
  const exact = kept === undefined ? [] : [kept.places, kept.rows];
  const inputs = [x, weight.values, weight.scale, bias, ...exact, ...backward];
  const attributes = { keepsRows: kept !== undefined };
  return only(x.node.graph.apply(quantizedOperator, inputs, attributes));
}

function checkKept(kept: readonly TensorType[], values: TensorType): void {
  const [places, rows] = pair("quantizedMatmul", kept);
  const fits = places.type === "int32" && rows.type === "float32" && places.shape.length === 1;
  if (!fits || rows.shape[0] !== places.shape[0] || rows.shape[1] !== values.shape[1])
    throw reject("quantizedMatmul", `${describe(rows)} at ${describe(places)} cannot be kept`);
}

function checkQuantized(x: TensorType, values: TensorType, scale: TensorType): void {
  const fits = x.shape.length === 2 && values.shape.length === 2 && x.shape[1] === values.shape[0];
  if (!fits || values.type !== "int8" || x.type !== "float32")
    throw reject("quantizedMatmul", `${describe(x)} does not multiply ${describe(values)}`);
  if (scale.shape.length !== 1 || scale.shape[0] !== values.shape[1])
    throw reject("quantizedMatmul", `scale ${describe(scale)} does not fit ${describe(values)}`);
}

function lastTwo(name: string, x: TensorType, isTransposed: boolean): [Dimension, Dimension] {
  const [rows, columns] = x.shape.slice(-2);
  if (rows === undefined || columns === undefined)
    throw reject(name, `${describe(x)} is no matrix`);
  return isTransposed ? [columns, rows] : [rows, columns];
}
