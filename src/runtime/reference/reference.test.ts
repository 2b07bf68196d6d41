import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../foundation/random.ts";
import { cast, mul } from "../../tensor/operators/elementwise.ts";
import { matmul } from "../../tensor/operators/matmul.ts";
import { difference, examineRuntime, exercises, prepare } from "../conformance.ts";
import { gradientName, type Sketch, sketches } from "../exam-sheet.ts";
import type { Exercise } from "../exam-operators.ts";
import { range } from "./dense.ts";
import { evaluateGraph } from "./evaluate.ts";
import { ReferenceRuntime } from "./reference.ts";

examineRuntime("the reference runtime", async () => new ReferenceRuntime(), 1e-5);

describe("gradients in float64 equal central finite differences", () => {
  const [sample] = fc.sample(sketches, { numRuns: 1, seed: 1 });
  assert.ok(sample !== undefined);
  for (const exercise of exercises) {
    const { parameters } = prepare(exercise, sample).sheet;
    if (exercise.isStraightThrough === true || parameters.length === 0) continue;
    it(`of ${exercise.name}`, () =>
      fc.assert(
        fc.property(sketches, (sketch) => compareGradients(exercise, sketch)),
        { numRuns: 4, seed: 20_230_618 },
      ));
  }
});

describe("the gradient of quantizedMatmul", () => {
  const [exercise] = exercises.filter(({ name }) => name === "quantizedMatmul");
  it("is the product with the transposed weights, when quantising loses nothing", () =>
    fc.assert(
      fc.property(sketches, (drawn) => {
        assert.ok(exercise !== undefined);
        const { graph, feeds, symbols } = prepare(exercise, {
          ...drawn,
          isForwardOnly: false,
        }).sheet;
        // The inputs in the order of the exercise; the last weighs the loss.
        const [, , , values, scale, weights] = [...graph.inputs.values()];
        assert.ok(values !== undefined && scale !== undefined && weights !== undefined);
        const exact = matmul(weights, mul(cast(values, "float32"), scale));
        const slope = graph.outputs.get(gradientName(0)) ?? exact;
        const known = evaluateGraph(graph, { inputs: feeds, symbols, targets: [exact, slope] });
        const expected = [...(known.get(exact)?.values ?? [])];
        const got = [...(known.get(slope)?.values ?? [])];
        assert.ok(slope !== exact && expected.length > 0);
        assert.equal(got.length, expected.length);
        for (const [index, y] of expected.entries())
          assert.ok(difference(got[index] ?? Number.NaN, y) <= 1e-12);
      }),
      { numRuns: 10, seed: 20_230_618 },
    ));
});

/** Each parameter's gradient along some axes of its space and one direction across all of them. */
function compareGradients(exercise: Exercise, drawn: Sketch): void {
  const { sheet, loss } = prepare(exercise, { ...drawn, isForwardOnly: false });
  const { graph, feeds, symbols } = sheet;
  const known = evaluateGraph(graph, { inputs: feeds, symbols });
  const random = new SeededRandom(drawn.seed, 1);
  for (const [index, { node }] of sheet.parameters.entries()) {
    const name = node.name ?? "";
    const x = feeds.get(name);
    const slope = graph.outputs.get(gradientName(index));
    const gradient = slope && known.get(slope)?.values;
    assert.ok(x !== undefined && gradient !== undefined);
    const lossAt = (direction: Float64Array, distance: number): number => {
      const values = x.values.map((e, i) => e + distance * (direction[i] ?? 0));
      const inputs = new Map(feeds).set(name, { ...x, values });
      const result = evaluateGraph(graph, { inputs, symbols, targets: [loss] });
      return result.get(loss)?.values[0] ?? Number.NaN;
    };
    for (const direction of directions(x.values.length, random)) {
      const expected = (lossAt(direction, 1e-5) - lossAt(direction, -1e-5)) / 2e-5;
      const got = direction.reduce((sum, d, i) => sum + d * (gradient[i] ?? 0), 0);
      assert.ok(difference(got, expected) <= 1e-5, `${name}: expected ${expected}, got ${got}`);
    }
  }
}

function directions(count: number, random: SeededRandom): readonly Float64Array[] {
  const chosen = count <= 4 ? range(count) : range(4).map(() => random.integer(count));
  const axes = chosen.map((axis) => new Float64Array(count).fill(1, axis, axis + 1));
  return [...axes, new Float64Array(count).map(() => 2 * random.uniform() - 1)];
}
