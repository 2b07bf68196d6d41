/** Operators on each element, with NumPy's broadcasting; see ONNX's operators of these names. */
import { broadcast, type Shape } from "../dimension.ts";
import {
  type DataType,
  describe,
  first,
  only,
  pair,
  type Operator,
  reject,
  type Tensor,
  type TensorType,
  triple,
} from "../tensor.ts";
import { sumTo } from "./shape.ts";

type UnaryGradient = (x: Tensor, y: Tensor, dy: Tensor) => Tensor;
type BinaryGradient = (a: Tensor, b: Tensor, dy: Tensor) => readonly [Tensor, Tensor];

export const neg = unary("neg", (_x, _y, dy) => neg(dy));
export const exp = unary("exp", (_x, y, dy) => mul(dy, y));
export const sqrt = unary("sqrt", (_x, y, dy) => div(dy, mul(scalarOf(y, 2), y)));
export const sigmoid = unary("sigmoid", (_x, y, dy) => mul(dy, mul(y, sub(scalarOf(y, 1), y))));
/** Rounds to the nearest integer, halves to even; its derivative is taken as zero. */
export const round = unary("round", (_x, _y, dy) => mul(dy, scalarOf(dy, 0)));

export const add = binary("add", (_a, _b, dy) => [dy, dy]);
export const sub = binary("sub", (_a, _b, dy) => [dy, neg(dy)]);
export const mul = binary("mul", (a, b, dy) => [mul(dy, b), mul(dy, a)]);
export const div = binary("div", (a, b, dy) => [div(dy, b), neg(div(mul(dy, a), mul(b, b)))]);
export const max = binary("max", (a, b, dy) => choose(greater(a, b), dy));
export const min = binary("min", (a, b, dy) => choose(less(a, b), dy));

/** Comparisons give bool. */
export const equal = comparison("equal");
export const greater = comparison("greater");
export const less = comparison("less");

const whereOperator: Operator = {
  name: "where",
  infer(inputs) {
    const [condition, a, b] = triple("where", inputs);
    if (condition.type !== "bool") throw reject("where", `condition is ${describe(condition)}`);
    if (a.type !== b.type) throw reject("where", `got ${describe(a)} and ${describe(b)}`);
    const partial = broadcast(condition.shape, a.shape);
    const shape = partial && broadcast(partial, b.shape);
    if (shape === undefined)
      throw reject("where", `${inputs.map(describe).join(", ")} do not broadcast`);
    return [{ type: a.type, shape }];
  },
  gradient(node, [dy]) {
    const [condition, a, b] = triple("where", node.inputs);
    if (dy === undefined) return [];
    // Products with 0 and 1: on CPU, Where itself takes several times as long.
    const [isFirst, one] = [cast(condition, "float32"), scalarOf(dy, 1)];
    return [
      undefined,
      sumTo(mul(dy, isFirst), a.shape),
      sumTo(mul(dy, sub(one, isFirst)), b.shape),
    ];
  },
};

/** `a` where the condition holds, else `b`; all three broadcast. */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  return only(condition.node.graph.apply(whereOperator, [condition, a, b]));
}

const castOperator: Operator = {
  name: "cast",
  infer: (inputs, attributes) => [
    { type: attributes["to"] as DataType, shape: first(inputs).shape }, // set by `cast`
  ],
  gradient(node, [dy]) {
    const x = first(node.inputs);
    return x.type === "float32" && dy?.type === "float32" ? [dy] : [];
  },
};

export function cast(x: Tensor, to: DataType): Tensor {
  return x.type === to ? x : only(x.node.graph.apply(castOperator, [x], { to }));
}

/** A scalar constant in the graph of `tensor`. */
export function scalarOf(tensor: Tensor, value: number): Tensor {
  return tensor.node.graph.scalar(value);
}

const geluOperator: Operator = {
  name: "gelu",
  infer(inputs) {
    const [y] = floatLike("gelu", inputs);
    return [y, y];
  },
  gradient({ outputs: [, slope] }, [dy, ofSlope]) {
    if (ofSlope !== undefined) throw reject("gradient", "gelu has no second derivative");
    return [dy && slope && mul(dy, slope)];
  },
};

/**
 * x Φ(x), with the exact normal distribution function (Hendrycks and Gimpel 2016). The node's
 * second output is the slope Φ(x) + x φ(x), which shares Φ with the first.
 */
export function gelu(x: Tensor): Tensor {
  return first(x.node.graph.apply(geluOperator, [x]).outputs);
}

function choose(isFirst: Tensor, dy: Tensor): readonly [Tensor, Tensor] {
  const zero = scalarOf(dy, 0);
  return [where(isFirst, dy, zero), where(isFirst, zero, dy)];
}

function unary(name: string, slope: UnaryGradient): (x: Tensor) => Tensor {
  const operator: Operator = {
    name,
    infer: (inputs) => floatLike(name, inputs),
    gradient: (node, [dy]) => [dy && slope(first(node.inputs), only(node), dy)],
  };
  return (x) => only(x.node.graph.apply(operator, [x]));
}

/** The type of an operator's only input, which must be float32. */
function floatLike(name: string, inputs: readonly TensorType[]): readonly [TensorType] {
  const x = first(inputs);
  if (x.type !== "float32") throw reject(name, `expected float32, got ${describe(x)}`);
  return [{ type: x.type, shape: x.shape }];
}

function binary(name: string, slopes: BinaryGradient): (a: Tensor, b: Tensor) => Tensor {
  const operator: Operator = {
    name,
    infer: (inputs) => [{ type: pair(name, inputs)[0].type, shape: joined(name, inputs) }],
    gradient(node, [dy]) {
      const [a, b] = pair(name, node.inputs);
      if (dy === undefined) return [];
      const [da, db] = slopes(a, b, dy);
      return [sumTo(da, a.shape), sumTo(db, b.shape)];
    },
  };
  return (a, b) => only(a.node.graph.apply(operator, [a, b]));
}

function comparison(name: string): (a: Tensor, b: Tensor) => Tensor {
  const operator: Operator = {
    name,
    infer: (inputs) => [{ type: "bool", shape: joined(name, inputs) }],
    gradient: () => [],
  };
  return (a, b) => only(a.node.graph.apply(operator, [a, b]));
}

function joined(name: string, inputs: readonly TensorType[]): Shape {
  const [a, b] = pair(name, inputs);
  if (a.type !== b.type) throw reject(name, `got ${describe(a)} and ${describe(b)}`);
  const shape = broadcast(a.shape, b.shape);
  if (shape === undefined) throw reject(name, `${describe(a)} and ${describe(b)} do not broadcast`);
  return shape;
}
