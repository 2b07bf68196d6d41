import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  add,
  broadcast,
  type Dimension,
  elementCount,
  evaluate,
  factors,
  isSymbol,
  multiply,
} from "./dimension.ts";

const symbols = ["batch", "keys", "sequence"];
/** Polynomials, built by sums and products of numbers and symbols. */
const { dimension: dimensions } = fc.letrec<{ dimension: Dimension }>((tie) => ({
  dimension: fc.oneof(
    { depthSize: "small" },
    fc.integer({ min: -4, max: 9 }),
    fc.constantFrom(...symbols),
    fc.tuple(tie("dimension"), tie("dimension")).map(([a, b]) => add(a, b)),
    fc.tuple(tie("dimension"), tie("dimension")).map(([a, b]) => multiply(a, b)),
  ),
}));
const sizes = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 3, maxLength: 3 })
  .map((values) => new Map(symbols.map((symbol, index) => [symbol, values[index] ?? 0])));

function hold(law: (a: Dimension, b: Dimension, c: Dimension) => void): void {
  fc.assert(fc.property(dimensions, dimensions, dimensions, law));
}

/** Compares as shapes are compared, where 0 and -0 are equal. */
function same(a: Dimension, b: Dimension): void {
  assert.ok(a === b, `"${a}" is not "${b}"`);
}

describe("dimensions", () => {
  it("add and multiply commutatively and associatively", () =>
    hold((a, b, c) => {
      same(add(a, b), add(b, a));
      same(multiply(a, b), multiply(b, a));
      same(add(add(a, b), c), add(a, add(b, c)));
      same(multiply(multiply(a, b), c), multiply(a, multiply(b, c)));
    }));

  it("have 0 and 1, opposites, and products that distribute over sums", () =>
    hold((a, b, c) => {
      same(add(a, 0), a);
      same(multiply(a, 1), a);
      same(multiply(a, 0), 0);
      same(add(a, multiply(a, -1)), 0);
      same(multiply(a, add(b, c)), add(multiply(a, b), multiply(a, c)));
    }));

  it("have the value of their parts", () =>
    fc.assert(
      fc.property(dimensions, dimensions, sizes, (a, b, values) => {
        const [x, y] = [evaluate(a, values), evaluate(b, values)];
        assert.equal(evaluate(add(a, b), values), x + y);
        // 0 and -0 are the same size.
        assert.equal(evaluate(multiply(a, b), values) - x * y, 0);
      }),
    ));

  it("are written in one form: products in order, the constant last", () => {
    const [b, s] = ["batch", "sequence"];
    assert.equal(multiply(s, b), "batch*sequence");
    assert.equal(add(add(1, s), b), "batch + sequence + 1");
    assert.equal(multiply(add(b, -1), add(s, 2)), "2*batch + batch*sequence + -1*sequence + -2");
    assert.equal(multiply(add(b, 1), add(b, -1)), "batch*batch + -1");
    assert.equal(add(add(b, s), multiply(-1, b)), s);
    assert.equal(add(add(b, 3), multiply(-1, b)), 3);
    assert.equal(elementCount([2, b, 3, s]), "6*batch*sequence");
    assert.equal(elementCount([]), 1);
  });

  it("are taken apart into coefficients and symbols", () => {
    const dimension = add(multiply(2, multiply("batch", "sequence")), -1);
    assert.deepEqual(factors(dimension), [[2, "batch", "sequence"], [-1]]);
    assert.deepEqual(factors("batch"), [[1, "batch"]]);
    assert.deepEqual(factors(5), [[5]]);
  });

  it("are symbols only when bare", () => {
    assert.deepEqual(
      ["batch", "n0", 3, "2*batch", "a + 1", "a*b"].map((dimension) => isSymbol(dimension)),
      [true, true, false, false, false, false],
    );
  });

  it("have no value when one of their symbols has none", () => {
    assert.throws(() => evaluate(add("batch", "rows"), new Map([["batch", 1]])), {
      code: "INVALID_ARGUMENT",
      message: 'Cannot size a tensor: "rows" has no value',
    });
  });
});

describe("broadcasting", () => {
  it("stretches 1 and missing axes", () => {
    assert.deepEqual(broadcast(["batch", 1, 3], [4, 1]), ["batch", 4, 3]);
    assert.deepEqual(broadcast([], [2, "n"]), [2, "n"]);
    assert.deepEqual(broadcast([1], ["n"]), ["n"]);
  });

  it("refuses sizes that differ or are not known to agree", () => {
    assert.equal(broadcast([2], [3]), undefined);
    assert.equal(broadcast(["n"], [3]), undefined);
    assert.equal(broadcast(["n"], ["m"]), undefined);
  });

  it("does not depend on the order of the operands", () => {
    const shapes = fc.array(fc.constantFrom<Dimension>(1, 2, "n"), { maxLength: 4 });
    fc.assert(
      fc.property(shapes, shapes, (a, b) => assert.deepEqual(broadcast(a, b), broadcast(b, a))),
    );
  });
});
