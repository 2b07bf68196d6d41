/** Checks the head and its choice against fits without each content, by plain elimination. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SeededRandom } from "../foundation/random.ts";
import { gramGraph } from "../models/ridge-graph.ts";
import { ReferenceRuntime } from "../runtime/reference/reference.ts";
import { type RidgeProblem, rowWeights, solveRidge } from "./ridge.ts";

interface Rows {
  /** `[rows, width]`, the last feature being 1. */
  readonly x: readonly (readonly number[])[];
  readonly labels: readonly number[];
  readonly contents: readonly number[];
}

/** The problem of these rows, by the graph that the product runs. */
async function problemOf(rows: Rows, labelCount: number): Promise<RidgeProblem> {
  const [features, width] = [Float32Array.from(rows.x.flat()), rows.x[0]?.length ?? 0];
  const labels = Int32Array.from(rows.labels);
  const program = await new ReferenceRuntime().load(gramGraph());
  const weightings = [];
  for (const isBalanced of [true, false]) {
    const weights = rowWeights(labels, { labelCount, isBalanced });
    const { gram } = await program.run({
      features: { kind: "value", type: "float32", shape: [labels.length, width], values: features },
      weights: { kind: "value", type: "float32", shape: [labels.length], values: weights },
    });
    weightings.push({ weights, gram: Float32Array.from(gram?.values ?? [], Number) });
  }
  const digests = Float64Array.from(rows.contents);
  return { features, labels, digests, width, labelCount, weightings, asked: features };
}

const at = (values: readonly number[] | undefined, index: number): number => values?.[index] ?? NaN;
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const dot = (a: readonly number[], b: readonly number[]): number =>
  sum(a.map((value, index) => value * at(b, index)));

/** The x of a x = b for a symmetric positive definite a, by elimination in plain numbers. */
function eliminated(a: readonly (readonly number[])[], b: readonly number[]): number[] {
  let rows = a.map((row, index) => [...row, at(b, index)]);
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows[i] ?? [];
    rows = rows.map((row, k) => {
      const factor = k === i ? 0 : at(row, i) / at(pivot, i);
      return row.map((value, column) => value - factor * at(pivot, column));
    });
  }
  return rows.map((row, i) => at(row, rows.length) / at(row, i));
}

interface Fit {
  readonly weights: readonly number[];
  /** It is added to the diagonal, but for the constant feature. */
  readonly shrink: number;
  readonly labelCount: number;
}

/** The weights of the features, for each label. */
function fitted({ x, labels }: Rows, { weights, shrink, labelCount }: Fit): number[][] {
  const width = x[0]?.length ?? 0;
  const indices = Array.from({ length: width }, (_, index) => index);
  const gram = indices.map((i) =>
    indices.map((j) => {
      const product = sum(x.map((row, n) => at(weights, n) * at(row, i) * at(row, j)));
      return i === j && i < width - 1 ? product + shrink : product;
    }),
  );
  return Array.from({ length: labelCount }, (_, label) => {
    const moments = indices.map((i) =>
      sum(x.map((row, n) => (labels[n] === label ? at(weights, n) * at(row, i) : 0))),
    );
    return eliminated(gram, moments);
  });
}

/** The head of the pair of weighting and λ that does best without each content in turn. */
function byLeavingOut(rows: Rows, labelCount: number): { head: number[][]; factor: number } {
  const head: number[][] = [];
  let best = { accuracy: -1, loss: Infinity, head, factor: NaN };
  const width = rows.x[0]?.length ?? 0;
  for (const isBalanced of [true, false]) {
    const weights = [...rowWeights(Int32Array.from(rows.labels), { labelCount, isBalanced })];
    const squares = rows.x.map(
      (row, n) => at(weights, n) * dot(row.slice(0, -1), row.slice(0, -1)),
    );
    for (const lambda of [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1]) {
      const shrink = (lambda * sum(squares)) / (width - 1);
      const scores = rows.x.map((row, n) => {
        const kept = rows.contents.flatMap((content, k) =>
          content === rows.contents[n] ? [] : [k],
        );
        const others = {
          x: kept.map((k) => rows.x[k] ?? []),
          labels: kept.map((k) => at(rows.labels, k)),
          contents: [],
        };
        const own = kept.map((k) => at(weights, k));
        return fitted(others, { weights: own, shrink, labelCount }).map((head) => dot(row, head));
      });
      for (const factor of [1, 2, 4, 6, 8, 12, 16, 24]) {
        // Each content counts once: its copies share its weight.
        const share = rows.contents.map((c) => 1 / rows.contents.filter((d) => d === c).length);
        const right = scores.map((own, n) =>
          Math.max(...own) === own[at(rows.labels, n)] ? 1 : 0,
        );
        const losses = scores.map((own, n) => {
          const total = sum(own.map((score) => Math.exp(factor * score)));
          return Math.log(total) - factor * at(own, at(rows.labels, n));
        });
        const [accuracy, loss] = [dot(right, share), dot(losses, share)];
        if (accuracy < best.accuracy - 1e-9) continue;
        if (accuracy < best.accuracy + 1e-9 && loss >= best.loss) continue;
        best = { accuracy, loss, head: fitted(rows, { weights, shrink, labelCount }), factor };
      }
    }
  }
  return best;
}

/** Features that say a little of the label, some texts twice, and one of them under two labels. */
function noisyRows(seed: number): Rows {
  const random = new SeededRandom(seed);
  const drawn = Array.from({ length: 24 }, (_, index) => {
    const label = index % 4 === 0 ? 1 : index % 4 === 1 ? 2 : 0;
    const x = [0, 1, 2, 3].map((i) => 0.8 * random.normal() + (i === label ? 1 : 0));
    return { x: [...x, 1], label, content: 1_000 - index };
  });
  const copies = drawn
    .slice(0, 6)
    .map((row, index) => ({ ...row, label: index === 2 ? 1 : row.label }));
  const all = [...drawn, ...copies];
  return {
    x: all.map(({ x }) => x),
    labels: all.map(({ label }) => label),
    contents: all.map(({ content }) => content),
  };
}

describe("a ridge head", () => {
  for (const seed of [1, 2, 3, 4])
    it(`is the one that fits without each content choose, seed ${seed}`, async () => {
      const rows = noisyRows(seed);
      const expected = byLeavingOut(rows, 3);
      const { head, answers } = solveRidge(await problemOf(rows, 3));
      const { factor } = expected;
      for (const [label, own] of expected.head.entries()) {
        const found = [...head.weight.subarray(4 * label, 4 * label + 4), head.bias[label] ?? NaN];
        for (const [i, value] of own.entries())
          assert.ok(
            Math.abs(at(found, i) - factor * value) < 1e-3 * factor,
            `label ${label}: ${found.join()} against ${factor} × ${own.join()}`,
          );
      }
      const scores = rows.x.map((x) => expected.head.map((own) => dot(x, own)));
      assert.deepEqual(
        [...answers],
        scores.map((own) => own.indexOf(Math.max(...own))),
      );
    });

  it("is not sure of itself where only copies of a text are known", async () => {
    // Labels are coin flips, and each text stands four times: a head that has learned its copies
    // by heart is right about a text, and no head is right that was fitted without them.
    const random = new SeededRandom(9);
    const texts = Array.from({ length: 40 }, (_, content) => ({
      x: [...Array.from({ length: 60 }, () => random.normal()), 1],
      label: random.uniform() < 0.5 ? 1 : 0,
      content,
    }));
    const all = [...texts, ...texts, ...texts, ...texts];
    const sizeOf = async (contents: readonly number[]): Promise<number> => {
      const rows = { x: all.map(({ x }) => x), labels: all.map(({ label }) => label), contents };
      const { head } = solveRidge(await problemOf(rows, 2));
      return Math.hypot(...head.weight);
    };
    const alone = await sizeOf(all.map((_, index) => index));
    const together = await sizeOf(all.map(({ content }) => content));
    assert.ok(together < alone / 10, `${together} against ${alone}`);
  });

  it("is finite for features that depend on each other and labels without examples", async () => {
    const rows = {
      x: Array.from({ length: 10 }, (_, index) => [index, index, 1]),
      labels: Array.from({ length: 10 }, (_, index) => (index < 5 ? 0 : 1)),
      contents: Array.from({ length: 10 }, (_, index) => index),
    };
    const { head, answers } = solveRidge(await problemOf(rows, 3));
    assert.ok([...head.weight, ...head.bias].every(Number.isFinite));
    assert.deepEqual([...answers], rows.labels);
    // A label without examples scores nothing.
    assert.deepEqual([...head.weight.subarray(4), head.bias[2]], [0, 0, 0]);
  });
});
