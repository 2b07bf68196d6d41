/**
 * What a runtime is examined in: every operator of the graph language with its gradient. The
 * composites of operators are in `exam-composites.ts`.
 */
import { permutation } from "../foundation/random.ts";
import { type Dimension, elementCount, multiply } from "../tensor/dimension.ts";
import * as elementwise from "../tensor/operators/elementwise.ts";
import { linear, matmul, quantizedMatmul } from "../tensor/operators/matmul.ts";
import type { QuantizedWeight } from "../tensor/operators/matmul.ts";
import * as neural from "../tensor/operators/neural.ts";
import * as shapes from "../tensor/operators/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import * as draws from "./exam-sheet.ts";
import type { Draw, Sheet } from "./exam-sheet.ts";

export interface Exercise {
  readonly name: string;
  /** Builds the graph; returns its outputs. */
  build(sheet: Sheet): readonly Tensor[];
  /** Draws the weights of the loss, which are the gradients by the outputs. */
  readonly weights?: Draw;
  /** Whether the gradient is by design not the derivative of the forward pass. */
  readonly isStraightThrough?: boolean;
}

const { cast, equal, greater, less, mul } = elementwise;

export const operatorExercises: readonly Exercise[] = [
  ofOne("neg", elementwise.neg),
  ofOne("exp", elementwise.exp),
  ofOne("sqrt", elementwise.sqrt, draws.positive),
  ofOne("sigmoid", elementwise.sigmoid),
  { ...ofOne("round", elementwise.round, draws.evenGrid), isStraightThrough: true },
  ofOne("gelu", elementwise.gelu),
  {
    name: "gelu of wide rows",
    build: (sheet) => [elementwise.gelu(sheet.parameter([sheet.dimension("rows"), 1536]))],
  },
  {
    name: "gelu of a wide linear layer",
    build(sheet) {
      const x = sheet.parameter([sheet.dimension("rows"), 2]);
      // The gradient of `x` is a sum of as many terms as there are columns.
      const matrix = sheet.parameter([2, 1536], (sizes, random) =>
        draws.normal(sizes, random).map((value) => value / 50),
      );
      return [elementwise.gelu(linear(x, matrix, sheet.parameter([1536])))];
    },
  },
  ofOne("softmax", neural.softmax),
  ofOne("logSoftmax", neural.logSoftmax),
  ofTwo("add", elementwise.add),
  ofTwo("sub", elementwise.sub),
  ofTwo("mul", elementwise.mul),
  ofTwo("div", elementwise.div, [draws.normal, draws.nonZero]),
  ofTwo("max", elementwise.max, [draws.evenGrid, draws.oddGrid]),
  ofTwo("min", elementwise.min, [draws.evenGrid, draws.oddGrid]),
  {
    name: "equal, greater, less of floats",
    build: (sheet) => compare(sheet, "float32"),
  },
  {
    name: "equal, greater, less of integers",
    build: (sheet) => compare(sheet, "int64"),
  },
  {
    name: "arithmetic of integers",
    build(sheet) {
      const [a, b] = sheet.operands;
      const x = sheet.input("int64", a, draws.integers(-9, 9));
      const y = sheet.input("int64", b, draws.integers(1, 4));
      const { add, sub, div, max, min } = elementwise;
      return [add, sub, mul, div, max, min].map((operator) => operator(x, y));
    },
  },
  {
    name: "where",
    build(sheet) {
      const [a, b] = sheet.operands;
      const condition = sheet.input("bool", a, draws.integers(0, 1));
      return [elementwise.where(condition, sheet.parameter(b), sheet.parameter(sheet.shape))];
    },
  },
  {
    name: "cast",
    build(sheet) {
      const x = sheet.input("float32", sheet.shape, draws.nonZero);
      const count = sheet.input("int64", sheet.shape, draws.integers(-3, 3));
      const isKept = sheet.input("bool", sheet.shape, draws.integers(0, 1));
      return [
        ...(["int64", "int32", "bool"] as const).map((to) => cast(x, to)),
        ...(["float32", "int32", "bool"] as const).map((to) => cast(count, to)),
        ...(["float32", "int64"] as const).map((to) => cast(isKept, to)),
      ];
    },
  },
  {
    name: "reshape",
    build(sheet) {
      const [first = 1, ...others] = sheet.shape;
      const [second = 1, ...rest] = others;
      const x = sheet.parameter(sheet.shape);
      const joined = shapes.reshape(x, [multiply(first, second), ...rest]);
      return [joined, shapes.reshape(joined, [1, elementCount(sheet.shape)])];
    },
  },
  {
    name: "transpose",
    build(sheet) {
      const order = [...permutation(sheet.shape.length, sheet.random)];
      return [shapes.transpose(sheet.parameter(sheet.shape), order)];
    },
  },
  {
    name: "broadcastTo",
    build(sheet) {
      const shape = [sheet.dimension("more"), ...sheet.shape];
      const x = shapes.broadcastTo(sheet.parameter(sheet.operands[1]), shape);
      // Another input of the shape, because each symbol must come from one.
      return [x, mul(x, sheet.parameter(shape))];
    },
  },
  {
    name: "slice",
    build(sheet) {
      const axis = sheet.random.integer(sheet.shape.length);
      const size = sheet.sketch.axes[axis]?.size ?? 1;
      const start = sheet.random.integer(size);
      const end = start + 1 + sheet.random.integer(size - start);
      return [shapes.slice(sheet.parameter(sheet.shape), { axis, start, end })];
    },
  },
  {
    name: "concat",
    build(sheet) {
      const axis = sheet.random.integer(sheet.shape.length);
      const parts = [1, 3, 2].map((size) => sheet.parameter(sheet.shape.with(axis, size)));
      return [shapes.concat(parts, axis)];
    },
  },
  {
    name: "split",
    build(sheet) {
      const axis = sheet.random.integer(sheet.shape.length);
      const sizes = [sheet.symbol("m", 2), 3, sheet.symbol("k", 1)];
      const parts = sizes.map((size) => sheet.parameter(sheet.shape.with(axis, size)));
      const joined = shapes.concat(parts, axis);
      return [
        ...shapes.split(joined, sizes, axis),
        shapes.split(mul(joined, joined), sizes, axis)[1] ?? joined,
      ];
    },
  },
  {
    name: "concat of symbolic sizes",
    build(sheet) {
      const axis = sheet.random.integer(sheet.shape.length);
      const sizes = [sheet.symbol("m", 2), 3, sheet.symbol("k", 1)];
      const parts = sizes.map((size) =>
        sheet.input("int64", sheet.shape.with(axis, size), draws.integers(-9, 9)),
      );
      return [shapes.concat(parts, axis)];
    },
  },
  {
    name: "gather",
    build: (sheet) => [shapes.gather(sheet.parameter(sheet.shape), indicesOf(sheet))],
  },
  {
    name: "scatterAdd",
    build(sheet) {
      const indices = indicesOf(sheet);
      const updates = sheet.parameter([...indices.shape, ...sheet.shape.slice(1)]);
      return [shapes.scatterAdd(sheet.parameter(sheet.shape), indices, updates)];
    },
  },
  {
    name: "size",
    build(sheet) {
      const x = sheet.parameter(sheet.shape);
      return [mul(x, shapes.sizeOf(sheet.graph, elementCount(sheet.shape)))];
    },
  },
  {
    name: "positions",
    build(sheet) {
      const x = sheet.parameter(sheet.shape);
      const last = sheet.shape.length - 1;
      return [neural.positions(x, 0), mul(x, neural.positions(x, last))];
    },
  },
  reducing("reduceSum", shapes.reduceSum),
  reducing("reduceSumSquare", neural.reduceSumSquare),
  reducing("reduceMean", neural.reduceMean),
  reducing("reduceMax", neural.reduceMax, draws.distinct),
  {
    name: "layerNorm",
    build(sheet) {
      // Narrow rows may be all but constant, where the result is ill-conditioned.
      const width = 4 + sheet.random.integer(5);
      const [gain, bias] = [sheet.parameter([width]), sheet.parameter([width])];
      const x = sheet.parameter([...sheet.shape.slice(1), width]);
      return [neural.layerNorm(x, { gain, bias, epsilon: 1e-5 })];
    },
  },
  {
    name: "matmul",
    build(sheet) {
      const [batchOfA, batchOfB] = sheet.operands.map((shape) => shape.slice(-2));
      const [m, k, n] = [sheet.dimension("m"), sheet.dimension("k"), sheet.dimension("n")];
      const options = {
        transposeA: sheet.coin(),
        transposeB: sheet.coin(),
        alpha: sheet.coin() ? 1 : -0.75,
      };
      const a = options.transposeA ? [k, m] : [m, k];
      const b = options.transposeB ? [n, k] : [k, n];
      return [
        matmul(
          sheet.parameter([...(batchOfA ?? []), ...a]),
          sheet.parameter([...(batchOfB ?? []), ...b]),
          options,
        ),
      ];
    },
  },
  {
    name: "linear",
    build(sheet) {
      const [rows, inner, outer] = matrixShape(sheet);
      const x = sheet.parameter([rows, inner]);
      return [linear(x, sheet.parameter([inner, outer]), sheet.parameter([outer]))];
    },
  },
  {
    name: "quantizedMatmul",
    isStraightThrough: true,
    weights: draws.quantizable,
    build(sheet) {
      const [rows, inner, outer] = matrixShape(sheet);
      const x = sheet.parameter([rows, inner], draws.quantizable);
      return [quantizedMatmul(x, weight(sheet, [inner, outer]), weight(sheet, [outer, inner]))];
    },
  },
  {
    name: "quantizedMatmul with bias",
    isStraightThrough: true,
    weights: draws.quantizable,
    build(sheet) {
      const [rows, inner, outer] = matrixShape(sheet);
      const x = sheet.parameter([rows, inner], draws.quantizable);
      const bias = sheet.parameter([outer]);
      const forward = { ...weight(sheet, [inner, outer]), bias };
      return [quantizedMatmul(x, forward, weight(sheet, [outer, inner]))];
    },
  },
  {
    name: "quantizedMatmul with rows kept",
    isStraightThrough: true,
    weights: draws.quantizable,
    build(sheet) {
      const [rows, inner, outer] = matrixShape(sheet);
      const x = sheet.parameter([rows, inner], draws.quantizable);
      // The first row twice, which counts twice.
      const places = sheet.input("int32", [2], draws.integers(0, 0));
      const kept = { places, rows: sheet.input("float32", [2, outer], draws.quantizable) };
      const forward = { ...weight(sheet, [inner, outer]), kept };
      return [quantizedMatmul(x, forward, weight(sheet, [outer, inner]))];
    },
  },
  { name: "attention", build: (sheet) => [attend(sheet, false)] },
  { name: "attention with bias", build: (sheet) => [attend(sheet, true)] },
];

function attend(sheet: Sheet, hasBias: boolean): Tensor {
  const headCount = 1 + sheet.random.integer(3);
  const hidden = headCount * (1 + sheet.random.integer(4));
  const [batch, rows] = [sheet.dimension("batch"), sheet.dimension("rows")];
  const keyCount = 1 + sheet.random.integer(7);
  const keys = sheet.coin() ? keyCount : sheet.symbol("keys", keyCount);
  return neural.attention({
    query: sheet.parameter([batch, rows, hidden]),
    key: sheet.parameter([batch, keys, hidden]),
    value: sheet.parameter([batch, keys, hidden]),
    lengths: sheet.input("int64", [batch], draws.integers(0, keyCount)),
    headCount,
    bias: hasBias ? sheet.parameter([headCount, rows, keys]) : undefined,
  });
}

function ofOne(name: string, operator: (x: Tensor) => Tensor, draw?: Draw): Exercise {
  return { name, build: (sheet) => [operator(sheet.parameter(sheet.shape, draw))] };
}

function ofTwo(
  name: string,
  operator: (a: Tensor, b: Tensor) => Tensor,
  [drawA, drawB]: readonly [Draw, Draw] = [draws.normal, draws.normal],
): Exercise {
  return {
    name,
    build(sheet) {
      const [a, b] = sheet.operands;
      return [operator(sheet.parameter(a, drawA), sheet.parameter(b, drawB))];
    },
  };
}

function compare(sheet: Sheet, type: "float32" | "int64"): readonly Tensor[] {
  const [a, b] = sheet.operands.map((shape) => sheet.input(type, shape, draws.integers(0, 2)));
  if (a === undefined || b === undefined) return [];
  return [equal(a, b), greater(a, b), less(a, b)];
}

function reducing(
  name: string,
  operator: (x: Tensor, axes: readonly number[], keepDimensions: boolean) => Tensor,
  draw?: Draw,
): Exercise {
  return {
    name,
    build: (sheet) => [
      operator(sheet.parameter(sheet.shape, draw), sheet.reducedAxes, sheet.coin()),
    ],
  };
}

/** Rows of an array of the sheet's shape, each likely to come several times. */
function indicesOf(sheet: Sheet): Tensor {
  const rows = sheet.sketch.axes[0]?.size ?? 1;
  const shape = [sheet.dimension("chosen"), ...(sheet.coin() ? [2] : [])];
  return sheet.input(sheet.coin() ? "int64" : "int32", shape, draws.integers(0, rows - 1));
}

/** Rows, inner and outer size of a matrix product. */
function matrixShape(sheet: Sheet): readonly [Dimension, Dimension, Dimension] {
  return [sheet.dimension("rows"), sheet.dimension("inner"), sheet.dimension("outer")];
}

function weight(sheet: Sheet, shape: readonly [Dimension, Dimension]): QuantizedWeight {
  return {
    values: sheet.input("int8", shape, draws.integers(-127, 127)),
    scale: sheet.input("float32", shape.slice(1), (sizes, random) =>
      draws.positive(sizes, random).map((x) => x / 100),
    ),
  };
}
