/** The exam of what a program keeps between runs. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { add, cast, mul } from "../tensor/operators/elementwise.ts";
import { gather, reshape } from "../tensor/operators/shape.ts";
import { Graph } from "../tensor/tensor.ts";
import { floats, isRefusal } from "./exam-values.ts";
import type { Feeds, Program, Runtime } from "./runtime.ts";

export function examineState(runtime: () => Runtime): void {
  /** total ← total + x; y = 2 total, of the total before. */
  const open = (): Promise<Program> => {
    const graph = new Graph();
    const x = graph.input("x", "float32", [2]);
    const total = graph.input("total", "float32", [2]);
    graph.output("next", add(total, x));
    graph.output("y", mul(total, graph.scalar(2)));
    return runtime().load(graph, { state: { total: "next" } });
  };

  it("keeps state between runs, and runs in the order of the calls", async () => {
    const program = await open();
    await program.write({ total: floats([2], 1, -1) });
    const runs = [1, 2, 3].map((x) => program.run({ x: floats([2], x, x) }));
    const results = await Promise.all(runs);
    const expected = [floats([2], 2, -2), floats([2], 4, 0), floats([2], 8, 4)];
    assert.deepEqual(
      results,
      expected.map((y) => ({ y })),
    );
    assert.deepEqual(await program.read(["total"]), { total: floats([2], 7, 5) });
    await program.release();
  });

  it("keeps state without a replacement as it was written", async () => {
    const graph = new Graph();
    const x = graph.input("x", "float32", ["n"]);
    graph.output("y", mul(x, graph.input("factor", "float32", [])));
    const program = await runtime().load(graph, { state: { factor: null } });
    await program.write({ factor: floats([], 3) });
    assert.deepEqual(await program.run({ x: floats([2], 1, 2) }), { y: floats([2], 3, 6) });
    assert.deepEqual(await program.run({ x: floats([1], 5) }), { y: floats([1], 15) });
    await program.write({ factor: floats([], 4) });
    assert.deepEqual(await program.run({ x: floats([1], 5) }), { y: floats([1], 20) });
    await program.release();
  });

  it("keeps the state of two programs apart", async () => {
    const [first, second] = [await open(), await open()];
    await first.write({ total: floats([2], 1, 1) });
    await second.write({ total: floats([2], 5, 5) });
    await first.run({ x: floats([2], 1, 1) });
    assert.deepEqual(await first.read(["total"]), { total: floats([2], 2, 2) });
    assert.deepEqual(await second.read(["total"]), { total: floats([2], 5, 5) });
    await first.release();
    assert.deepEqual((await second.run({ x: floats([2], 1, 1) }))["y"], floats([2], 10, 10));
    await second.release();
  });

  it("gives out copies of state", async () => {
    const program = await open();
    await program.write({ total: floats([2], 1, 1) });
    (await program.read(["total"]))["total"]?.values.fill(9 as never); // of a float32 array
    assert.deepEqual(await program.read(["total"]), { total: floats([2], 1, 1) });
    await program.release();
  });

  it("leaves state as it was when a run is refused", async () => {
    const program = await open();
    await program.write({ total: floats([2], 1, 1) });
    const refused = (call: Promise<unknown>, blamed: string): Promise<void> =>
      assert.rejects(call, (error) => isRefusal(error, `"${blamed}"`));
    await refused(program.run({ x: floats([3], 1, 1, 1) }), "x");
    await refused(program.run({ x: floats([2], 1, 1), total: floats([2], 0, 0) }), "total");
    await refused(program.write({ total: floats([3], 1, 1, 1) }), "total");
    await refused(program.write({ x: floats([2], 1, 1) }), "x");
    await refused(program.read(["x"]), "x");
    assert.deepEqual(await program.read(["total"]), { total: floats([2], 1, 1) });
    await program.release();
  });

  it("keeps state of open sizes, and leaves it as it was when a run breaks off", async () => {
    // total ← total + table[row]; y = total · row and z = 2 total, of the total before.
    const graph = new Graph();
    const table = graph.input("table", "float32", ["rows", "n"]);
    const row = graph.input("row", "int32", []);
    const total = graph.input("total", "float32", ["n"]);
    graph.output("y", mul(total, cast(row, "float32")));
    graph.output("next", add(total, gather(table, row)));
    graph.output("z", mul(reshape(total, ["n", 1]), graph.scalar(2)));
    const program = await runtime().load(graph, { state: { total: "next", table: null } });
    const at = (index: number): Feeds => ({
      row: { kind: "value", type: "int32", shape: [], values: Int32Array.of(index) },
    });
    await program.write({ total: floats([2], 1, 2), table: floats([3, 2], 0, 0, 10, 20, 30, 40) });
    assert.deepEqual(await program.run(at(1)), { y: floats([2], 1, 2), z: floats([2, 1], 2, 4) });
    await assert.rejects(program.run(at(3)), { message: /[Gg]ather/ });
    assert.deepEqual(await program.read(["total"]), { total: floats([2], 11, 22) });
    assert.deepEqual(await program.run(at(2)), {
      y: floats([2], 22, 44),
      z: floats([2, 1], 22, 44),
    });
    assert.deepEqual(await program.read(["total"]), { total: floats([2], 41, 62) });
    await program.write({ total: floats([1], 1), table: floats([1, 1], 5) });
    assert.deepEqual(await program.run(at(0)), { y: floats([1], 0), z: floats([1, 1], 2) });
    assert.deepEqual(await program.read(["total"]), { total: floats([1], 6) });
    await program.release();
  });

  it("refuses to run before state has a value", async () => {
    const program = await open();
    await assert.rejects(program.run({ x: floats([2], 1, 1) }), (error) =>
      isRefusal(error, '"total"'),
    );
    await program.release();
  });
}
