import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { add, mul } from "../../tensor/operators/elementwise.ts";
import { reduceSum, reshape } from "../../tensor/operators/shape.ts";
import { Graph, type Tensor } from "../../tensor/tensor.ts";
import { overwritten } from "./overwritten.ts";

describe("state may be overwritten", () => {
  /** Whether total may, where `next` replaces it and `other` is another result. */
  function mayBe(build: (total: Tensor, x: Tensor) => { next: Tensor; other?: Tensor }): boolean {
    const graph = new Graph();
    const [x, total] = [graph.input("x", "float32", [2]), graph.input("total", "float32", [2])];
    const { next, other } = build(total, x);
    graph.output("next", next);
    if (other !== undefined) graph.output("other", other);
    return overwritten(graph, { total: "next" }).has("total");
  }

  it("by what is computed of it element by element", () => {
    assert.ok(mayBe((total, x) => ({ next: add(total, x) })));
  });

  it("where all that reads it comes before", () => {
    assert.ok(mayBe((total, x) => ({ next: add(mul(total, x), reduceSum(total, [0])) })));
  });

  it("not by what reads it out of order, nor where another result reads it", () => {
    assert.ok(!mayBe((total) => ({ next: mul(total, reshape(reduceSum(total, [0], true), [1])) })));
    assert.ok(!mayBe((total, x) => ({ next: add(total, x), other: mul(total, x) })));
  });

  it("not where another result reads it in another shape", () => {
    assert.ok(
      !mayBe((total, x) => {
        const column = reshape(total, [2, 1]);
        const next = add(x, reduceSum(mul(column, column), [0, 1]));
        return { next, other: reduceSum(column, [1]) };
      }),
    );
  });

  it("not by itself", () => {
    assert.ok(!mayBe((total) => ({ next: total })));
  });
});
