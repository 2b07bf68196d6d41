import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gradient } from "./gradient.ts";
import { add, cast, mul, neg, scalarOf } from "./operators/elementwise.ts";
import { quantizedMatmul } from "./operators/matmul.ts";
import { layerNorm } from "./operators/neural.ts";
import { reduceSum } from "./operators/shape.ts";
import { Graph, only, type Operator, type Tensor } from "./tensor.ts";

// That gradients are right is examined by finite differences, in runtime/reference/.
describe("gradient", () => {
  it("has the shapes of the parameters, in their order", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["batch", 3]);
    const bias = graph.input("bias", "float32", [3]);
    const factor = graph.input("factor", "float32", []);
    const loss = reduceSum(mul(add(x, bias), factor), [0, 1]);
    const slopes = gradient(loss, [factor, x, bias]);
    assert.deepEqual(
      slopes.map(({ shape }) => shape),
      [[], ["batch", 3], [3]],
    );
  });

  it("is zero by a parameter that the loss does not use", () => {
    const graph = new Graph();
    const [x, unused] = [graph.input("x", "float32", []), graph.input("w", "float32", ["n", 2])];
    assertZeros(gradient(mul(x, x), [x, unused])[1], ["n", 2]);
  });

  it("is zero by a parameter that the loss uses only through integers", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2]);
    const loss = reduceSum(cast(cast(x, "int64"), "float32"), [0]);
    assertZeros(gradient(loss, [x])[0], [2]);
  });

  it("is one by the loss itself", () => {
    const x = new Graph().input("x", "float32", []);
    const loss = mul(x, x);
    assert.deepEqual(gradient(loss, [loss])[0]?.node.values, Float32Array.of(1));
  });

  it("may be taken by a tensor between input and loss", () => {
    const x = new Graph().input("x", "float32", []);
    const y = neg(x);
    const [byY, byX] = gradient(mul(y, scalarOf(x, 3)), [y, x]);
    assert.equal(byX?.node.operator.name, "neg");
    assert.equal(byX?.node.inputs[0], byY);
  });

  it("refuses a loss that is no scalar", () => {
    const x = new Graph().input("x", "float32", ["batch"]);
    assert.throws(
      () => gradient(x, [x]),
      refusal("Cannot build gradient: the loss must be a scalar, got [batch]"),
    );
  });

  it("refuses an operator without a derivative, where it matters", () => {
    const floor: Operator = { name: "floor", infer: (inputs) => inputs };
    const graph = new Graph();
    const [x, y] = [graph.input("x", "float32", []), graph.input("y", "float32", [])];
    const loss = mul(only(graph.apply(floor, [x])), y);
    assert.equal(gradient(loss, [y])[0]?.shape.length, 0);
    assert.throws(
      () => gradient(loss, [x]),
      refusal('Cannot build gradient: "floor" has no derivative'),
    );
  });

  it("refuses int8 weights without their transpose", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["rows", 2]);
    const values = graph.input("values", "int8", [2, 3]);
    const y = quantizedMatmul(x, { values, scale: graph.input("scale", "float32", [3]) });
    assert.throws(
      () => gradient(reduceSum(y, [0, 1]), [x]),
      refusal("Cannot build gradient: quantizedMatmul was given no transposed weights"),
    );
  });

  it("refuses what it would get wrong: layerNorm twice", () => {
    const b = new Graph().input("b", "float32", [2]);
    const y = layerNorm(b, { gain: b, bias: b, epsilon: 1e-5 });
    const [slope = b] = gradient(reduceSum(mul(y, y), [0]), [b]);
    assert.throws(
      () => gradient(reduceSum(slope, [0]), [b]),
      refusal("Cannot build gradient: layerNorm has no second derivative"),
    );
  });
});

function assertZeros(tensor: Tensor | undefined, shape: Tensor["shape"]): void {
  assert.deepEqual(tensor?.shape, shape);
  assert.equal(tensor?.node.operator.name, "broadcastTo");
  assert.deepEqual(tensor?.node.inputs[0]?.node.values, Float32Array.of(0));
}

function refusal(message: string): { readonly code: string; readonly message: string } {
  return { code: "INVALID_ARGUMENT", message };
}
