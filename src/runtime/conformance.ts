/**
 * The exam of runtimes: each operator and composite, forward and gradient, on random shapes against
 * the reference in float64, and what `runtime.ts` promises of feeds, state and constants.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { gradient } from "../tensor/gradient.ts";
import { add, gelu, mul } from "../tensor/operators/elementwise.ts";
import { linear, quantizedMatmul } from "../tensor/operators/matmul.ts";
import { reduceMax, softmax } from "../tensor/operators/neural.ts";
import { gather, reduceSum } from "../tensor/operators/shape.ts";
import { Graph, type TypedValues } from "../tensor/tensor.ts";
import { compositeExercises } from "./exam-composites.ts";
import { Sheet, type Sketch, sketches } from "./exam-sheet.ts";
import { type Exercise, operatorExercises } from "./exam-operators.ts";
import { examineState } from "./exam-state.ts";
import { floats, isRefusal, sharedFloats } from "./exam-values.ts";
import { type Dense, toValue } from "./reference/dense.ts";
import { ancestors, evaluateGraph } from "./reference/evaluate.ts";
import type { Feeds, Program, Runtime, Value } from "./runtime.ts";

export const exercises: readonly Exercise[] = [...operatorExercises, ...compositeExercises];

/**
 * Declares the exam as tests. `tolerance` bounds |a - b| / max(1, |a|, |b|) between a result and
 * the reference. A failing exercise prints the sketch from which it follows.
 */
export function examineRuntime(
  name: string,
  open: () => Promise<Runtime>,
  tolerance: number,
): void {
  describe(`${name} sits the exam of runtimes`, () => {
    let runtime: Runtime;
    before(async () => (runtime = await open()));
    after(() => runtime.close());
    for (const exercise of exercises)
      it(`computes ${exercise.name} and its gradient`, () =>
        fc.assert(
          fc.asyncProperty(sketches, (sketch) => sit(runtime, sketch, { ...exercise, tolerance })),
          { numRuns: 16, seed: 20_230_618 },
        ));
    examineFeeds(() => runtime);
    examineState(() => runtime);
    examineOthers(() => runtime);
  });
}

/** The graph of an exercise, with feeds, and the loss whose gradients are among its outputs. */
export function prepare(exercise: Exercise, sketch: Sketch): ReturnType<typeof finish> {
  return finish(new Sheet(sketch), exercise);
}

/** |a - b| / max(1, |a|, |b|); NaN when either is. */
export function difference(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a - b) / Math.max(1, Math.abs(a), Math.abs(b));
}

function finish(sheet: Sheet, exercise: Exercise) {
  const loss = sheet.finish(exercise.build(sheet), exercise.weights);
  return { sheet, loss };
}

async function sit(
  runtime: Runtime,
  sketch: Sketch,
  exercise: Exercise & { readonly tolerance: number },
): Promise<void> {
  const { graph, feeds, symbols } = prepare(exercise, sketch).sheet;
  const expected = evaluateGraph(graph, { inputs: feeds, symbols });
  const program = await runtime.load(graph);
  const results = await program.run(feedsOf(graph, feeds));
  await program.release();
  assert.deepEqual(Object.keys(results).toSorted(), [...graph.outputs.keys()].toSorted());
  for (const [name, tensor] of graph.outputs) {
    const wanted = expected.get(tensor);
    assert.ok(wanted !== undefined);
    compare(name, results[name], { ...exercise, wanted });
  }
}

function compare(
  name: string,
  result: Value | undefined,
  { wanted, tolerance }: { readonly wanted: Dense; readonly tolerance: number },
): void {
  const { type, shape, values } = toValue(wanted);
  assert.deepEqual([result?.type, result?.shape], [type, shape], name);
  assert.equal(result?.values.constructor, values.constructor, name);
  wanted.values.forEach((expected, index) => {
    const got = Number(result?.values[index]);
    const bound = type === "float32" ? tolerance : 0;
    assert.ok(
      difference(got, expected) <= bound,
      `${name}[${index}]: expected ${expected}, got ${got}`,
    );
  });
}

/** Fresh buffers, because a run takes them over, of the inputs that the outputs need. */
function feedsOf(graph: Graph, feeds: ReadonlyMap<string, Dense>): Feeds {
  const needed = ancestors(graph, graph.outputs.values()).map(({ name }) => name);
  return Object.fromEntries(
    [...feeds].filter(([name]) => needed.includes(name)).map(([name, x]) => [name, toValue(x)]),
  );
}

function examineFeeds(runtime: () => Runtime): void {
  /** y = x + bias, and an input that nothing needs. */
  const open = (): Promise<Program> => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["rows", 2]);
    const bias = graph.input("bias", "float32", ["rows", 2]);
    graph.input("unneeded", "float32", []);
    graph.output("y", add(x, bias));
    return runtime().load(graph);
  };
  const right = (): Feeds => ({ x: floats([1, 2], 1, 2), bias: floats([1, 2], 10, 20) });
  const pool = sharedFloats(1, 2, 3, 4);
  const gathered = { kind: "gathered", type: "float32", shape: [1, 2], pool } as const;
  const rows = (...numbers: number[]): Uint32Array => Uint32Array.from(numbers);
  const integers: Value = {
    kind: "value",
    type: "int64",
    shape: [1, 2],
    values: BigInt64Array.of(1n, 2n),
  };
  const wrong: Record<string, readonly [blamed: string, Feeds]> = {
    "a missing input": ["x", { bias: floats([1, 2], 1, 2) }],
    "an unknown input": ["z", { ...right(), z: floats([], 1) }],
    "an input that no output needs": ["unneeded", { ...right(), unneeded: floats([], 1) }],
    "another type": ["bias", { ...right(), bias: integers }],
    "another rank": ["bias", { ...right(), bias: floats([2], 1, 2) }],
    "another size": ["x", { ...right(), x: floats([1, 3], 1, 2, 3) }],
    "too few elements": ["x", { ...right(), x: floats([1, 2], 1) }],
    "rows 2 and 3": ["bias", { x: floats([2, 2], 1, 2, 3, 4), bias: floats([3, 2]) }],
    "rows 2 and 1": ["bias", { x: floats([2, 2], 1, 2, 3, 4), bias: floats([1, 2], 1, 2) }],
    "a gathered row without a length": [
      "x",
      { ...right(), x: { ...gathered, offsets: rows(0), lengths: rows() } },
    ],
    "a gathered row longer than a row": [
      "x",
      { ...right(), x: { ...gathered, offsets: rows(0), lengths: rows(3) } },
    ],
    "a gathered row outside the pool": [
      "x",
      { ...right(), x: { ...gathered, offsets: rows(3), lengths: rows(2) } },
    ],
  };
  for (const [fault, [blamed, feeds]] of Object.entries(wrong))
    it(`refuses ${fault} by the input's name, and runs on`, async () => {
      const program = await open();
      await assert.rejects(program.run(feeds), (error) => isRefusal(error, `"${blamed}"`));
      const { y } = await program.run(right());
      assert.deepEqual(y, floats([1, 2], 11, 22));
      await program.release();
    });

  it("gathers rows from shared memory and fills them up with zeros", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["rows", 2, 2]);
    graph.output("y", add(x, graph.scalar(0.5)));
    const program = await runtime().load(graph);
    const feed = { ...gathered, shape: [3, 2, 2], offsets: rows(1, 0, 0), lengths: rows(3, 1, 4) };
    const expected = floats([3, 2, 2], 2.5, 3.5, 4.5, 0.5, 1.5, 0.5, 0.5, 0.5, 1.5, 2.5, 3.5, 4.5);
    assert.deepEqual((await program.run({ x: feed }))["y"], expected);
    pool[0] = 7;
    const { y } = await program.run({
      x: { ...feed, shape: [1, 2, 2], offsets: rows(0), lengths: rows(1) },
    });
    assert.deepEqual(y, floats([1, 2, 2], 7.5, 0.5, 0.5, 0.5), "it is read again at each run");
    pool[0] = 1;
    await program.release();
  });
}

function examineOthers(runtime: () => Runtime): void {
  it("fixes inputs as constants, which are then no inputs", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["n"]);
    graph.output("y", mul(x, graph.input("factor", "float32", [])));
    const constants = new Map([["factor", Float32Array.of(3)]]);
    const program = await runtime().load(graph, { constants });
    assert.deepEqual(await program.run({ x: floats([2], 1, 2) }), { y: floats([2], 3, 6) });
    const both = { x: floats([1], 1), factor: floats([], 1) };
    await assert.rejects(program.run(both), (error) => isRefusal(error, '"factor"'));
    await program.release();
  });

  it("takes rows of large tables in shared memory", async () => {
    const [rowCount, width] = [70_000, 4];
    const table = new Float32Array(new SharedArrayBuffer(4 * rowCount * width));
    for (const row of [0, 3, rowCount - 1]) table.set([row, row + 0.25, -row, 1], row * width);
    const graph = new Graph();
    const rows = graph.input("table", "float32", [rowCount, width]);
    const [wide, long] = [
      graph.input("wide", "int32", ["batch", "sequence"]),
      graph.input("long", "int64", ["n"]),
    ];
    graph.output("wide rows", add(gather(rows, wide), graph.scalar(0.5)));
    graph.output("long rows", gather(rows, long));
    const constants = new Map([["table", table]]);
    runtime().prepare(graph, constants);
    const program = await runtime().load(graph, { constants });
    const last = rowCount - 1;
    const feeds = (place: number): Feeds => ({
      wide: { kind: "value", type: "int32", shape: [1, 3], values: Int32Array.of(3, 0, place) },
      long: { kind: "value", type: "int64", shape: [1], values: BigInt64Array.of(3n) },
    });
    const ends = [3.5, 3.75, -2.5, 1.5, 0.5, 0.75, 0.5, 1.5];
    assert.deepEqual(await program.run(feeds(last)), {
      "wide rows": floats([1, 3, width], ...ends, last + 0.5, last + 0.75, 0.5 - last, 1.5),
      "long rows": floats([1, width], 3, 3.25, -3, 1),
    });
    await program.release();
  });

  it("takes what is fed from shared memory, and leaves it there", async () => {
    const graph = new Graph();
    graph.output("y", mul(graph.input("x", "float32", [2]), graph.scalar(2)));
    const program = await runtime().load(graph);
    const values = sharedFloats(1, 2);
    for (let run = 0; run < 2; run++) {
      const { y } = await program.run({
        x: { kind: "value", type: "float32", shape: [2], values },
      });
      assert.deepEqual(y, floats([2], 2, 4));
    }
    await program.release();
  });

  it("gives GELU the slopes of its limits", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [1, 1536]);
    const [slope = x] = gradient(reduceSum(gelu(x), [0, 1]), [x]);
    graph.output("slope", slope);
    const program = await runtime().load(graph);
    const values = Float32Array.from({ length: 1536 }, (_, index) => (index - 768) / 24);
    const results = await program.run({ x: { ...floats([1, 1536]), values } });
    // 0 may come as -0.
    const slopes = Array.from(results["slope"]?.values ?? [], Number).map((value) => value + 0);
    assert.deepEqual([slopes[0], slopes[768], slopes[1535]], [0, 0.5, 1]);
    assert.ok(slopes.every(Number.isFinite));
    await program.release();
  });

  it("shares the gradient among equal maxima", async () => {
    // Finite differences say nothing here: the maximum has a kink.
    const graph = new Graph();
    const x = graph.input("x", "float32", [4]);
    graph.output("slope", gradient(reduceMax(x, [0]), [x])[0] ?? x);
    const program = await runtime().load(graph);
    const { slope } = await program.run({ x: floats([4], 2, 1, 2, 0) });
    assert.deepEqual(slope, floats([4], 0.5, 0, 0.5, 0));
    await program.release();
  });

  it("quantises each row by itself: a row gives the same alone and among others", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["rows", 4]);
    const values = graph.input("values", "int8", [4, 3]);
    const scale = graph.input("scale", "float32", [3]);
    graph.output("y", quantizedMatmul(x, { values, scale }));
    const program = await runtime().load(graph, {
      constants: new Map<string, TypedValues>([
        ["values", Int8Array.of(127, -127, 3, 5, 127, -9, -127, 8, 127, 64, 1, -2)],
        ["scale", Float32Array.of(0.01, 0.02, 0.03)],
      ]),
    });
    // Of magnitudes so different that a scale in common would leave nothing of the small rows.
    const rows = [1e-3, 1, 1e4, 0].map((size) => [0.31, -0.77, 1, 0.123].map((e) => e * size));
    const together = await program.run({ x: floats([4, 4], ...rows.flat()) });
    const alone = [];
    for (const row of rows) alone.push(await program.run({ x: floats([1, 4], ...row) }));
    assert.deepEqual(
      together["y"],
      floats([4, 3], ...alone.flatMap(({ y }) => Array.from(y?.values ?? [], Number))),
    );
    await program.release();
  });

  it("runs an empty batch", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["batch", 2]);
    const weight = graph.input("weight", "float32", [2, 3]);
    const y = softmax(gelu(linear(x, weight, graph.input("bias", "float32", [3]))));
    graph.output("y", y);
    const [slope] = gradient(reduceSum(mul(y, y), [0, 1]), [weight]);
    graph.output("slope", slope ?? y);
    const program = await runtime().load(graph);
    const weights = { weight: floats([2, 3], 1, 2, 3, 4, 5, 6), bias: floats([3], 1, 2, 3) };
    const results = await program.run({ x: floats([0, 2]), ...weights });
    assert.deepEqual(results, { y: floats([0, 3]), slope: floats([2, 3], 0, 0, 0, 0, 0, 0) });
    await program.release();
  });
}
