import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { add, mul, scalarOf } from "./operators/elementwise.ts";
import { reduceSum, reshape, transpose } from "./operators/shape.ts";
import { describe as tell, Graph } from "./tensor.ts";

describe("a graph", () => {
  it("makes equal nodes once", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["batch", 3]);
    const write = () => mul(add(x, scalarOf(x, 2)), reduceSum(transpose(x, [1, 0]), [0, 1]));
    const once = write();
    const count = graph.nodes.length;
    assert.equal(write(), once);
    assert.equal(graph.nodes.length, count);
  });

  it("tells nodes apart by operator, inputs, their order and attributes", () => {
    const graph = new Graph();
    const [x, y] = [graph.input("x", "float32", [3, 3]), graph.input("y", "float32", [3, 3])];
    const made = [
      add(x, y),
      add(y, x),
      mul(x, y),
      reduceSum(x, [0]),
      reduceSum(x, [1]),
      reduceSum(x, [0], true),
      graph.scalar(1),
      graph.scalar(2),
    ];
    assert.equal(new Set(made).size, made.length);
  });

  it("lists every node after those it uses", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["batch", 3]);
    reduceSum(mul(add(x, x), reshape(x, ["batch", 3])), [0, 1]);
    for (const [index, node] of graph.nodes.entries()) {
      assert.equal(node.id, index);
      for (const input of node.inputs) assert.ok(input.node.id < index);
    }
  });

  it("keeps inputs and outputs in the order of their declaration", () => {
    const graph = new Graph();
    const [z, a] = [graph.input("z", "float32", []), graph.input("a", "float32", [])];
    graph.output("sum", add(z, a));
    graph.output("product", mul(z, a));
    assert.deepEqual([...graph.inputs.keys()], ["z", "a"]);
    assert.deepEqual([...graph.outputs.keys()], ["sum", "product"]);
  });

  it("refuses a name twice", () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", []);
    graph.output("y", x);
    const twice = (message: string) => ({ code: "INVALID_ARGUMENT", message });
    assert.throws(
      () => graph.input("x", "int64", [2]),
      twice('Cannot build input: "x" is declared twice'),
    );
    assert.throws(() => graph.output("y", x), twice('Cannot build output: "y" is declared twice'));
  });

  it("refuses tensors of another graph", () => {
    const [x, y] = [new Graph(), new Graph()].map((graph) => graph.input("x", "float32", []));
    assert.ok(x !== undefined && y !== undefined);
    assert.throws(() => add(x, y), { message: "Cannot build add: inputs are of two graphs" });
  });

  it("tells a tensor by name, type and shape", () => {
    const x = new Graph().input("x", "float32", ["batch", 3]);
    assert.equal(tell(x), '"x" float32 [batch, 3]');
    assert.equal(tell(reduceSum(x, [1])), "float32 [batch]");
  });
});
