import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isSameShape, type Shape } from "../dimension.ts";
import { type DataType, Graph, type Tensor } from "../tensor.ts";
import { add, cast, equal, gelu, mul, where } from "./elementwise.ts";
import { linear, matmul, quantizedMatmul } from "./matmul.ts";
import { attention, crossEntropy, layerNorm, reduceMax, reduceMean, softmax } from "./neural.ts";
import {
  broadcastTo,
  concat,
  gather,
  reduceSum,
  reshape,
  scatterAdd,
  sizeOf,
  slice,
  sumTo,
  transpose,
} from "./shape.ts";

type Declare = (name: string, shape: Shape, type?: DataType) => Tensor;
type Build = (declare: Declare) => Tensor;

function build(make: Build): Tensor {
  const graph = new Graph();
  return make((name, shape, type = "float32") => graph.input(name, type, shape));
}

describe("shapes that do not fit are refused when a node is made, by the inputs' names", () => {
  const faults: readonly (readonly [message: string, make: Build])[] = [
    [
      'add: "a" float32 [batch, 3] and "b" float32 [4] do not broadcast',
      (t) => add(t("a", ["batch", 3]), t("b", [4])),
    ],
    [
      'add: "a" float32 [batch] and "b" float32 [rows] do not broadcast',
      (t) => add(t("a", ["batch"]), t("b", ["rows"])),
    ],
    ['mul: got "a" float32 [3] and "n" int64 [3]', (t) => mul(t("a", [3]), t("n", [3], "int64"))],
    [
      'equal: got "a" float32 [3] and "n" int64 [3]',
      (t) => equal(t("a", [3]), t("n", [3], "int64")),
    ],
    ['gelu: expected float32, got "n" int64 [3]', (t) => gelu(t("n", [3], "int64"))],
    ['where: condition is "a" float32 [3]', (t) => where(t("a", [3]), t("b", [3]), t("c", [3]))],
    [
      'where: "a" bool [3], "b" float32 [3], "c" float32 [2] do not broadcast',
      (t) => where(t("a", [3], "bool"), t("b", [3]), t("c", [2])),
    ],
    [
      'matmul: "a" float32 [batch, 3] does not multiply "b" float32 [4, 5]',
      (t) => matmul(t("a", ["batch", 3]), t("b", [4, 5])),
    ],
    [
      'matmul: "a" float32 [2, 5, 3] does not multiply "b" float32 [7, 3, 5]',
      (t) => matmul(t("a", [2, 5, 3]), t("b", [7, 3, 5])),
    ],
    ['matmul: "b" float32 [3] is no matrix', (t) => matmul(t("a", [2, 3]), t("b", [3]))],
    [
      'linear: "x" float32 [rows, 3] does not multiply "w" float32 [4, 5]',
      (t) => linear(t("x", ["rows", 3]), t("w", [4, 5]), t("b", [5])),
    ],
    [
      'linear: bias "b" float32 [3] does not fit "w" float32 [3, 5]',
      (t) => linear(t("x", ["rows", 3]), t("w", [3, 5]), t("b", [3])),
    ],
    [
      'quantizedMatmul: "x" float32 [rows, 3] does not multiply "w" float32 [3, 5]',
      (t) => quantizedMatmul(t("x", ["rows", 3]), { values: t("w", [3, 5]), scale: t("s", [5]) }),
    ],
    [
      'quantizedMatmul: scale "s" float32 [3] does not fit "w" int8 [3, 5]',
      (t) =>
        quantizedMatmul(t("x", ["rows", 3]), {
          values: t("w", [3, 5], "int8"),
          scale: t("s", [3]),
        }),
    ],
    [
      'reshape: "x" float32 [batch, 6] does not fill [batch, 2, 4]',
      (t) => reshape(t("x", ["batch", 6]), ["batch", 2, 4]),
    ],
    [
      'transpose: order [0, 0] does not permute "x" float32 [2, 3]',
      (t) => transpose(t("x", [2, 3]), [0, 0]),
    ],
    [
      'broadcastTo: "x" float32 [2, 3] does not broadcast to [3]',
      (t) => broadcastTo(t("x", [2, 3]), [3]),
    ],
    [
      'slice: 1 to 4 is outside axis 1 of "x" float32 [2, 3]',
      (t) => slice(t("x", [2, 3]), { axis: 1, start: 1, end: 4 }),
    ],
    [
      'slice: 0 to 1 is outside axis 2 of "x" float32 [2, 3]',
      (t) => slice(t("x", [2, 3]), { axis: 2, start: 0, end: 1 }),
    ],
    [
      'concat: got "a" float32 [2, 3] and "b" float32 [2, 4] along axis 0',
      (t) => concat([t("a", [2, 3]), t("b", [2, 4])], 0),
    ],
    ['gather: indices are "i" float32 [2]', (t) => gather(t("table", [5, 3]), t("i", [2]))],
    [
      'scatterAdd: "u" float32 [2, 4] is not [2, 3] of "table" float32 [5, 3]',
      (t) => scatterAdd(t("table", [5, 3]), t("i", [2], "int64"), t("u", [2, 4])),
    ],
    ['reduceSum: axes [2] are outside "x" float32 [2, 3]', (t) => reduceSum(t("x", [2, 3]), [2])],
    ['reduceMax: axes [-1] are outside "x" float32 [2, 3]', (t) => reduceMax(t("x", [2, 3]), [-1])],
    [
      'reduceMean: expected an array of float32, got "n" int64 [3]',
      (t) => reduceMean(t("n", [3], "int64"), [0]),
    ],
    ['softmax: expected an array of float32, got "x" float32 []', (t) => softmax(t("x", []))],
    [
      'layerNorm: got "x" float32 [2, 3], "g" float32 [3] and "b" float32 [2]',
      (t) => layerNorm(t("x", [2, 3]), { gain: t("g", [3]), bias: t("b", [2]), epsilon: 1e-5 }),
    ],
    [
      'attention: got "q" float32 [n, s, 8], "k" float32 [n, s, 8], "v" float32 [n, t, 8]',
      (t) => attend(t, { value: ["n", "t", 8] }),
    ],
    ["attention: lengths must be int64 [n]", (t) => attend(t, { lengths: ["s"] })],
    ["attention: 8 does not divide by 3 heads", (t) => attend(t, { headCount: 3 })],
    [
      'attention: bias must be float32 [2, s, s], got "bias" float32 [2, s, n]',
      (t) => attend(t, { bias: [2, "s", "n"] }),
    ],
    [
      'crossEntropy: got "logits" float32 [n, 3] and "targets" float32 [n, 2]',
      (t) => crossEntropy(t("logits", ["n", 3]), t("targets", ["n", 2])),
    ],
  ];
  for (const [message, make] of faults)
    it(message, () =>
      assert.throws(() => build(make), {
        code: "INVALID_ARGUMENT",
        message: `Cannot build ${message}`,
      }),
    );
});

describe("operators infer types and symbolic shapes", () => {
  const cases: readonly (readonly [string, DataType, Shape, Build])[] = [
    ["add", "float32", ["batch", 4, 3], (t) => add(t("a", ["batch", 1, 3]), t("b", [4, 1]))],
    ["equal", "bool", ["batch"], (t) => equal(t("a", ["batch"]), t("b", []))],
    ["cast", "int64", ["batch"], (t) => cast(t("a", ["batch"]), "int64")],
    [
      "matmul",
      "float32",
      ["batch", 2, "s", "t"],
      (t) => matmul(t("a", ["batch", 1, 8, "s"]), t("b", [2, "t", 8]), bothTransposed),
    ],
    ["reshape", "float32", ["6*n"], (t) => reshape(t("x", [2, "n", 3]), ["6*n"])],
    ["transpose", "float32", ["n", 3, 2], (t) => transpose(t("x", [2, "n", 3]), [1, 2, 0])],
    ["concat", "float32", ["n + 2", 3], (t) => concat([t("a", [2, 3]), t("b", ["n", 3])], 0)],
    [
      "gather",
      "float32",
      ["batch", "s", 3],
      (t) => gather(t("table", [5, 3]), t("i", ["batch", "s"], "int32")),
    ],
    ["reduceSum", "float32", ["n", 1], (t) => reduceSum(t("x", ["n", 3]), [1], true)],
    ["reduceMean", "float32", [3], (t) => reduceMean(t("x", ["n", 3]), [0])],
    ["sumTo", "float32", ["n", 1], (t) => sumTo(t("x", [4, "n", 3]), ["n", 1])],
    ["sizeOf", "float32", [], (t) => sizeOf(t("x", ["n"]).node.graph, "2*n")],
  ];
  for (const [name, type, shape, make] of cases)
    it(name, () => {
      const tensor = build(make);
      assert.equal(tensor.type, type);
      assert.ok(isSameShape(tensor.shape, shape), `got [${tensor.shape.join(", ")}]`);
    });

  it("returns the input itself where there is nothing to do", () => {
    const x = new Graph().input("x", "float32", ["n", 3]);
    const same = [
      cast(x, "float32"),
      reshape(x, ["n", 3]),
      broadcastTo(x, ["n", 3]),
      concat([x], 0),
      reduceSum(x, []),
      reduceMean(x, []),
      reduceMax(x, []),
      sumTo(x, ["n", 3]),
    ];
    assert.deepEqual(
      same,
      same.map(() => x),
    );
  });
});

const bothTransposed = { transposeA: true, transposeB: true };

interface AttendOptions {
  readonly value?: Shape;
  readonly lengths?: Shape;
  readonly headCount?: number;
  readonly bias?: Shape;
}

function attend(declare: Declare, options: AttendOptions): Tensor {
  const { value = ["n", "s", 8], lengths = ["n"], headCount = 2 } = options;
  return attention({
    query: declare("q", ["n", "s", 8]),
    key: declare("k", ["n", "s", 8]),
    value: declare("v", value),
    lengths: declare("lengths", lengths, "int64"),
    headCount,
    bias: options.bias && declare("bias", options.bias),
  });
}
