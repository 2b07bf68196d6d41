import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { exercises, prepare } from "./conformance.ts";
import { ancestors } from "./reference/evaluate.ts";
import { operators } from "./reference/operators.ts";

describe("the exam of runtimes", () => {
  /** It has no gradients, so that an operator counts only when an exercise is about it. */
  const sketch = {
    axes: [
      { size: 3, isSymbol: true, single: 0, isReduced: true },
      { size: 4, isSymbol: false, single: 1, isReduced: false },
    ],
    droppedCount: 1,
    isForwardOnly: true,
    seed: 1,
  };
  const graphs = exercises.map((exercise) => prepare(exercise, sketch).sheet.graph);
  const examined = new Set(
    graphs
      .flatMap((graph) => ancestors(graph, graph.outputs.values()))
      .map(({ operator }) => operator.name),
  );

  it("uses every operator that the reference knows", () => {
    const missing = Object.keys(operators).filter((name) => !examined.has(name));
    assert.deepEqual(missing, []);
  });

  it("uses every operator that the graph language defines", () => {
    const folder = new URL("../tensor/operators/", import.meta.url);
    const files = readdirSync(folder).filter((file) => /^[a-z]+\.js$/.test(file));
    const source = files.map((file) => readFileSync(new URL(file, folder), "utf8")).join("");
    const maker = /(?:\bname: |= (?:unary|binary|comparison|rowwise)\()"(\w+)"/g;
    const made = source.matchAll(maker);
    const names = [...made].map(([, name]) => name ?? "");
    assert.ok(names.length >= 35, `found ${names.length} operators`);
    assert.deepEqual(
      names.filter((name) => !examined.has(name)),
      [],
    );
  });

  it("gives every exercise a name of its own", () => {
    assert.equal(new Set(exercises.map(({ name }) => name)).size, exercises.length);
  });
});
