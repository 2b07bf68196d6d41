import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SeededRandom } from "../foundation/random.ts";
import { ridgeGraph, scoresGraph } from "../models/ridge-graph.ts";
import { ReferenceRuntime } from "../runtime/reference/reference.ts";
import { type LabelledFeatures, ridgeSystem, scoresOf, solveRidge } from "./ridge.ts";

const runtime = new ReferenceRuntime();

/** Random features with the constant 1 at the end; the third label never occurs. */
function randomFeatures(count: number, width: number): LabelledFeatures {
  const random = new SeededRandom(2);
  const features = Float32Array.from({ length: count * width }, (_, index) =>
    index % width === width - 1 ? 1 : random.normal(),
  );
  const labels = Int32Array.from({ length: count }, (_, row) => (row % 5 === 0 ? 1 : 0));
  return { features, labels, width };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return sum(a.map((value, index) => value * (b[index] ?? NaN)));
}

describe("a ridge head", () => {
  it("is that of a system solved by hand", async () => {
    // Feature and label: (-1, 0), (0, 0), (1, 1), (2, 1), with the constant as second column:
    // XᵀX = [[6, 2], [2, 4]]; by λ = 1/3 of the mean square 6, 6 + 2 = 8 stands in its corner.
    // Xᵀy of label 1 = [3, 2]: (8w + 2b, 2w + 4b) = (3, 2) gives w = 2/7, b = 5/14.
    const features = Float32Array.of(-1, 1, 0, 1, 1, 1, 2, 1);
    const program = await runtime.load(ridgeGraph());
    const system = await ridgeSystem(
      program,
      { features, labels: Int32Array.of(0, 0, 1, 1), width: 2 },
      { labelCount: 2, isBalanced: false },
    );
    assert.deepEqual([...system.gram], [6, 2, 2, 4]);
    const { weight, bias } = solveRidge(system, 1 / 3);
    const expected = [-2 / 7, 2 / 7];
    for (const [label, value] of expected.entries())
      assert.ok(Math.abs((weight[label] ?? NaN) - value) < 1e-6, `weight ${weight.join()}`);
    // One-hot targets add up to 1, and so do the two heads.
    assert.ok(Math.abs((bias[1] ?? NaN) - 5 / 14) < 1e-6, `bias ${bias.join()}`);
    assert.ok(Math.abs((bias[0] ?? NaN) - 9 / 14) < 1e-6, `bias ${bias.join()}`);
  });

  for (const isBalanced of [true, false])
    it(`leaves the gradient of its objective at zero, balanced: ${isBalanced}`, async () => {
      const [count, width, lambda] = [60, 7, 0.03];
      const { features, labels } = randomFeatures(count, width);
      const system = await ridgeSystem(
        await runtime.load(ridgeGraph()),
        { features, labels, width },
        { labelCount: 3, isBalanced },
      );
      const { weight, bias } = solveRidge(system, lambda);
      const hidden = width - 1;
      const rows = Array.from({ length: count }, (_, row) => ({
        x: [...features.subarray(row * width, (row + 1) * width)],
        label: labels[row],
        // 12 examples have label 1, 48 have label 0; balanced, both classes weigh 30.
        weight: isBalanced ? 30 / (labels[row] === 1 ? 12 : 48) : 1,
      }));
      const squares = rows.map((row) => row.weight * dot(row.x.slice(0, -1), row.x.slice(0, -1)));
      const shrink = (lambda * sum(squares)) / hidden;
      for (const label of [0, 1, 2]) {
        const w = [...weight.subarray(label * hidden, (label + 1) * hidden), bias[label] ?? NaN];
        const errors = rows.map((row) => dot(row.x, w) - (row.label === label ? 1 : 0));
        for (let i = 0; i < width; i++) {
          const pulls = rows.map((row, n) => row.weight * (errors[n] ?? NaN) * (row.x[i] ?? NaN));
          const residual = sum(pulls) + (i < hidden ? shrink * (w[i] ?? NaN) : 0);
          assert.ok(Math.abs(residual) < 1e-4, `label ${label}, feature ${i}: ${residual}`);
        }
        // A label without examples scores nothing, and only that one.
        assert.equal(
          w.every((value) => Math.abs(value) < 1e-6),
          label === 2,
        );
      }
    });

  it("is finite for features that depend on each other", async () => {
    const features = Float32Array.from({ length: 30 }, (_, index) =>
      index % 3 === 2 ? 1 : Math.floor(index / 3),
    );
    const labels = Int32Array.from({ length: 10 }, (_, row) => (row < 5 ? 0 : 1));
    const program = await runtime.load(ridgeGraph());
    const options = { labelCount: 2, isBalanced: true };
    const system = await ridgeSystem(program, { features, labels, width: 3 }, options);
    const { weight, bias } = solveRidge(system, 1e-4);
    assert.ok([...weight, ...bias].every(Number.isFinite));
    // Both columns are the same, so that they share the weight.
    assert.ok(Math.abs((weight[2] ?? NaN) - (weight[3] ?? NaN)) < 1e-3);
  });

  it("scores by weight and bias", async () => {
    const features = Float32Array.of(1, 2, 1, 3, -1, 1);
    const head = { weight: Float32Array.of(1, 10, 2, 20), bias: Float32Array.of(0.5, -0.5) };
    const rows = { features, labels: Int32Array.of(0, 0), width: 3 };
    const scores = await scoresOf(await runtime.load(scoresGraph()), rows, head);
    assert.deepEqual([...scores], [21.5, 41.5, -6.5, -14.5]);
  });
});
