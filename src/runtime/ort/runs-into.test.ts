/** How runs end that leave their results in buffers, as the binding is and as it may become. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type * as Ort from "onnxruntime-node";
import { toOnnx } from "../../tensor/onnx/to-onnx.ts";
import { mul } from "../../tensor/operators/elementwise.ts";
import { Graph } from "../../tensor/tensor.ts";
import { loadOrt } from "./load-ort.ts";
import { RunsInto } from "./runs-into.ts";

const ort = await loadOrt();

/** Runs x·x and returns what is in the target afterwards. */
async function squares(runs: RunsInto, x: readonly number[], length = 3): Promise<Ort.Tensor> {
  const graph = new Graph();
  const input = graph.input("x", "float32", [3]);
  graph.output("y", mul(input, input));
  const session = await ort.InferenceSession.create(runs.written(toOnnx(graph).bytes));
  const y = new ort.Tensor("float32", new Float32Array(3), [3]);
  const fed = new ort.Tensor("float32", Float32Array.from(x), [length]);
  await runs.run(session, { x: fed }, { y });
  await session.release();
  return y;
}

test("this release of the binding gives up before it copies, when all is written", async () => {
  const runs = await RunsInto.open(ort);
  assert.equal(runs.isCopying, false);
  assert.deepEqual((await squares(runs, [1, -2, 3])).data, Float32Array.of(1, 4, 9));
});

test("a binding that says it in other words is asked for copies, which are right", async () => {
  const runs = await RunsInto.open(ort, "Sequences are not supported.");
  assert.equal(runs.isCopying, true);
  assert.deepEqual((await squares(runs, [1, -2, 3])).data, Float32Array.of(1, 4, 9));
});

test("a binding that refuses before it has run is asked for copies", async () => {
  class Refusing {
    async run(): Promise<never> {
      throw new Error("Non tensor type is temporarily not supported.");
    }
    async release(): Promise<void> {}
  }
  const refusing = {
    ...{ Tensor: ort.Tensor },
    InferenceSession: { create: async () => new Refusing() },
  } as unknown as typeof Ort; // no more of it is asked for
  assert.equal((await RunsInto.open(refusing)).isCopying, true);
});

test("a run that fails for a reason of its own fails, whichever way it ends", async () => {
  for (const runs of [await RunsInto.open(ort), await RunsInto.open(ort, "other words")])
    await assert.rejects(squares(runs, [1, 2], 2), /[Dd]imension/);
});
