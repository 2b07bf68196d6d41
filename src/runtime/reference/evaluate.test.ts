import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cast, gelu, round } from "../../tensor/operators/elementwise.ts";
import { matmul, quantizedMatmul } from "../../tensor/operators/matmul.ts";
import {
  attention,
  crossEntropy,
  l2Normalize,
  layerNorm,
  logSoftmax,
  maskedMean,
  maskedSoftmax,
  oneHot,
  softmax,
} from "../../tensor/operators/neural.ts";
import { gather, scatterAdd, slice } from "../../tensor/operators/shape.ts";
import { adamW, clipScale, linearSchedule } from "../../tensor/optimizer.ts";
import { type DataType, Graph, type Tensor } from "../../tensor/tensor.ts";
import { difference } from "../conformance.ts";
import type { Dense } from "./dense.ts";
import { erf } from "./erf.ts";
import { evaluateGraph } from "./evaluate.ts";

describe("the reference computes what was computed by hand", () => {
  it("erf", () => {
    const table: readonly (readonly [number, number])[] = [
      [0, 0],
      [1e-8, 1.1283791670955126e-8],
      [-0.1, -0.1124629160182849],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [1.9, 0.9927904292352575],
      [2, 0.9953222650189527],
      [2.5, 0.999593047982555],
      [-3, -0.9999779095030014],
      [5.5, 0.9999999999999927],
      [7, 1],
      [-Infinity, -1],
    ];
    for (const [x, expected] of table) assertClose([erf(x)], [expected]);
  });

  it("gelu", () => {
    // x Φ(x) with Φ from tables of the normal distribution.
    const y = compute({ x: [[3], 0, 1, -2] }, ({ x }) => gelu(x));
    assertClose(y, [0, 0.8413447460685429, -2 * 0.02275013194817921]);
  });

  it("round, halves to even", () => {
    const y = compute({ x: [[7], 0.5, 1.5, 2.5, -0.5, -1.5, 0.49, -2.6] }, ({ x }) => round(x));
    assertClose(y, [0, 2, 2, 0, -2, 0, -3]);
  });

  it("softmax", () => {
    const logarithms = [0, Math.log(2), Math.log(5)];
    const y = compute({ x: [[2, 3], ...logarithms, 1000, 1000, -1e9] }, ({ x }) => softmax(x));
    assertClose(y, [1 / 8, 2 / 8, 5 / 8, 0.5, 0.5, 0]);
  });

  it("logSoftmax", () => {
    const y = compute({ x: [[2, 2], 1000, 1000, 0, Math.log(3)] }, ({ x }) => logSoftmax(x));
    assertClose(y, [-Math.LN2, -Math.LN2, -Math.log(4), Math.log(3 / 4)]);
  });

  it("layerNorm", () => {
    // The mean is 2 and the variance 1; with epsilon 3 the deviation is 2.
    const given = { x: [[1, 2], 1, 3], gain: [[2], 2, 3], bias: [[2], 10, 20] } as const;
    const of = (epsilon: number): readonly number[] =>
      compute(given, ({ x, gain, bias }) => layerNorm(x, { gain, bias, epsilon }));
    assertClose(of(0), [10 - 2, 20 + 3]);
    assertClose(of(3), [10 - 1, 20 + 1.5]);
  });

  it("matmul", () => {
    const given = { a: [[2, 2], 1, 2, 3, 4], b: [[2, 2], 5, 6, 7, 8] } as const;
    const of = (options: Parameters<typeof matmul>[2]): readonly number[] =>
      compute(given, ({ a, b }) => matmul(a, b, options));
    assertClose(of({}), [19, 22, 43, 50]);
    assertClose(of({ transposeA: true }), [26, 30, 38, 44]);
    assertClose(of({ transposeB: true, alpha: 2 }), [34, 46, 78, 106]);
  });

  it("attention, of the keys below the length", () => {
    // Of width 1: the first query weighs its keys 1 : 3, the second sees one, the third none.
    const y = compute(
      {
        query: [[3, 1, 1], 1, 1, 1],
        key: [[3, 3, 1], 0, Math.log(3), 99, 0, 99, 99, 0, 0, 0],
        value: [[3, 3, 1], 1, 5, 1000, 7, 1000, 1000, 1, 1, 1],
        lengths: [[3], 2, 1, 0],
      },
      (inputs) => attention({ ...inputs, headCount: 1 }),
    );
    assertClose(y, [(1 + 3 * 5) / 4, 7, 0]);
  });

  it("attention, by heads and divided by the root of their width", () => {
    // Two heads of width 4 and hence scale 1/2; the first weighs 1 : 3, the second 1 : 1.
    const zeros = [0, 0, 0, 0];
    const y = compute(
      {
        query: [[1, 1, 8], 2, 0, 0, 0, 2, 0, 0, 0],
        key: [[1, 2, 8], ...zeros, ...zeros, Math.log(3), 0, 0, 0, ...zeros],
        value: [[1, 2, 8], 0, 0, 0, 4, 0, 0, 0, 4, 8, 0, 0, 0, 8, 0, 0, 0],
        lengths: [[1], 2],
      },
      (inputs) => attention({ ...inputs, headCount: 2 }),
    );
    assertClose(y, [6, 0, 0, 1, 4, 0, 0, 2]);
  });

  it("attention, with a bias that all texts share", () => {
    // The scores of the keys are 0 and 0 before the bias, which weighs them 1 : 3 for the first
    // query and 1 : 1 for the second; the second text has one key.
    const log3 = Math.log(3);
    const y = compute(
      {
        query: [[2, 2, 1], 0, 0, 0, 0],
        key: [[2, 2, 1], 5, 6, 7, 8],
        value: [[2, 2, 1], 1, 5, 2, 6],
        lengths: [[2], 2, 1],
        bias: [[1, 2, 2], 0, log3, log3, log3],
      },
      (inputs) => attention({ ...inputs, headCount: 1 }),
    );
    assertClose(y, [(1 + 3 * 5) / 4, (1 + 5) / 2, 2, 2]);
  });

  it("quantizedMatmul, each row by its own scale and halves to even", () => {
    // The scale of the first row is 1/8, its zero 55 and its values 255, 0, 55, 57; the second
    // row's scale is 1 and its zero 0; the third has nothing but zeros.
    const y = compute(
      {
        x: [[3, 4], 200 / 8, -55 / 8, 0.5 / 8, 1.5 / 8, 255, 0, 0, 0, 0, 0, 0, 0],
        values: [[4, 2], 1, -1, 2, 0, 3, 0, 4, 1],
        scale: [[2], 0.5, 2],
      },
      ({ x, values, scale }) => quantizedMatmul(x, { values, scale }),
    );
    // (200 - 110 + 0 + 8) / 8 / 2 and (-200 + 2) / 8 * 2.
    assertClose(y, [49 / 8, -99 / 2, 255 / 2, -510, 0, 0]);
  });

  it("quantizedMatmul, whose kept rows multiply what is not rounded", () => {
    // The row's scale is 1 and its zero 0: 0.25 is rounded to 0, except where a row is kept.
    const y = compute(
      {
        x: [[1, 3], 255, 0.25, 0.25],
        values: [[3, 1], 1, 100, 0],
        scale: [[1], 2],
        places: [[1], 2],
        rows: [[1, 1], 8],
      },
      ({ x, values, scale, places, rows }) =>
        quantizedMatmul(x, { values, scale, kept: { places: cast(places, "int32"), rows } }),
    );
    assertClose(y, [2 * 255 + 8 / 4]);
  });

  it("scatterAdd, of indices that come twice", () => {
    const y = compute(
      { table: [[3], 1, 2, 3], indices: [[3], 2, 0, 2], updates: [[3], 10, 20, 30] },
      ({ table, indices, updates }) => scatterAdd(table, indices, updates),
    );
    assertClose(y, [21, 2, 43]);
  });

  it("refuses what lies outside an axis", () => {
    const outside = { code: "INVALID_ARGUMENT", message: /outside 0 to/ };
    const given = { table: [[2], 1, 2], indices: [[1], 2] } as const;
    assert.throws(() => compute(given, ({ table, indices }) => gather(table, indices)), outside);
    const graph = new Graph();
    slice(graph.input("x", "float32", ["n"]), { axis: 0, start: 1, end: 3 });
    const x: Dense = { type: "float32", shape: [2], values: Float64Array.of(1, 2) };
    const situation = { inputs: new Map([["x", x]]), symbols: new Map([["n", 2]]) };
    const targets = graph.nodes.flatMap(({ outputs }) => outputs);
    assert.throws(() => evaluateGraph(graph, { ...situation, targets }), outside);
  });

  it("maskedSoftmax, crossEntropy and oneHot", () => {
    const masked = compute(
      { x: [[2, 3], 0, Math.log(3), 99, 1, 2, 3], mask: [[2, 3], 1, 1, 0, 0, 0, 0] },
      ({ x, mask }) => maskedSoftmax(x, cast(mask, "bool")),
    );
    assertClose(masked, [1 / 4, 3 / 4, 0, 0, 0, 0]);
    const loss = compute(
      { x: [[2, 2], 0, Math.log(3), 0, 0], indices: [[2], 1, 0] },
      ({ x, indices }) => crossEntropy(x, oneHot(indices, 2)),
    );
    assertClose(loss, [-Math.log(3 / 4), Math.LN2]);
  });

  it("maskedMean and l2Normalize", () => {
    const mean = compute(
      { x: [[3, 2, 2], 1, 2, 3, 6, 5, 7, 99, 99, 9, 9, 9, 9], lengths: [[3], 2, 1, 0] },
      ({ x, lengths }) => maskedMean(x, lengths),
    );
    assertClose(mean, [2, 4, 5, 7, 0, 0]);
    const normal = compute({ x: [[2, 2], 3, -4, 0, 0] }, ({ x }) => l2Normalize(x));
    assertClose(normal, [0.6, -0.8, 0, 0]);
  });

  it("clipScale", () => {
    const scale = (normMax: number): readonly number[] =>
      compute({ a: [[1], 3], b: [[1], 4] }, ({ a, b }) => clipScale([a, b], normMax));
    assertClose(scale(2.5), [0.5]);
    assertClose(scale(6), [1]);
  });

  it("linearSchedule", () => {
    // Four steps of warm-up among ten: the tenth still learns, the eleventh would not.
    const rates = [0, 1, 2, 4, 5, 10, 11, 12].map((step) =>
      compute({ step: [[], step], peak: [[], 7], count: [[], 10], warm: [[], 4] }, (t) =>
        linearSchedule(t.step, { peak: t.peak, stepCount: t.count, warmupCount: t.warm }),
      ),
    );
    assertClose(rates.flat(), [0, 7 / 4, 7 / 2, 7, 6, 1, 0, 0]);
  });

  it("adamW, as the paper's algorithm in a loop", () => {
    // The constants in the graph are float32, hence those here.
    const [beta1, beta2, epsilon, decay] = [0.9, 0.999, 1e-8, 0.1].map(Math.fround);
    const [rest1, rest2] = [1 - 0.9, 1 - 0.999];
    const meanScale = Math.sqrt(rest2) / rest1;
    assert.ok(beta1 && beta2 && epsilon && decay);
    let [w, m, v] = [0.5, 0, 0];
    let state: readonly number[] = [w, m, v];
    for (const [index, g] of [2, -3, 0.25].entries()) {
      const step = index + 1;
      m = beta1 * m + rest1 * g;
      v = beta2 * v + rest2 * g * g;
      const [mHat, vHat] = [m / (1 - 0.9 ** step), v / (1 - 0.999 ** step)];
      w -= 0.125 * (mHat / (Math.sqrt(vHat) + epsilon) + decay * w);
      const [w0 = 0, m0 = 0, v0 = 0] = state;
      const given = { w: [[], w0], g: [[], g], m: [[], m0], v: [[], v0] } as const;
      state = (["parameter", "mean", "square"] as const).flatMap((part) =>
        compute({ ...given, step: [[], step], rate: [[], 0.125] }, (t) => {
          const moments = { gradient: t.g, mean: t.m, square: t.v };
          const options = { learningRate: t.rate, step: t.step, weightDecay: 0.1 };
          return adamW(t.w, moments, options)[part];
        }),
      );
      // log 0.999 in float32 is within 3e-8 of the exact one, which 1 - 0.999 magnifies.
      assertClose(state, [w, meanScale * m, v], 1e-5);
    }
  });
});

type Given = Readonly<Record<string, readonly [shape: readonly number[], ...values: number[]]>>;

const integerInputs: Readonly<Record<string, DataType>> = {
  lengths: "int64",
  indices: "int64",
  values: "int8",
};

/** Builds and evaluates a graph over the given inputs. */
function compute<G extends Given>(
  given: G,
  build: (tensors: { readonly [Name in keyof G]: Tensor }) => Tensor,
): readonly number[] {
  const graph = new Graph();
  const inputs = new Map<string, Dense>();
  const tensors = Object.entries(given).map(([name, [shape, ...values]]) => {
    const type = integerInputs[name] ?? "float32";
    inputs.set(name, { type, shape, values: Float64Array.from(values) });
    return [name, graph.input(name, type, shape)] as const;
  });
  const result = build(Object.fromEntries(tensors) as { [Name in keyof G]: Tensor }); // by entry
  const known = evaluateGraph(graph, { inputs, symbols: new Map(), targets: [result] });
  return [...(known.get(result)?.values ?? [])];
}

function assertClose(got: readonly number[], expected: readonly number[], tolerance = 1e-15): void {
  assert.equal(got.length, expected.length);
  for (const [index, x] of expected.entries())
    assert.ok(
      difference(got[index] ?? Number.NaN, x) <= tolerance,
      `expected ${x}, got ${got[index]}`,
    );
}
