/** ONNX Runtime sits the exam that the reference interpreter sets. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import type { Worker } from "node:worker_threads";
import { limits } from "../../foundation/limits.ts";
import { add } from "../../tensor/operators/elementwise.ts";
import { matmul } from "../../tensor/operators/matmul.ts";
import { gather } from "../../tensor/operators/shape.ts";
import { Graph } from "../../tensor/tensor.ts";
import { examineRuntime } from "../conformance.ts";
import type { Value } from "../runtime.ts";
import { OrtRuntime } from "./ort-runtime.ts";

examineRuntime("ort", async () => new OrtRuntime({ threadCount: 1, spinUs: 0 }), 1e-5);

it("has silenced the library before any thread loads it", async () => {
  delete process.env["ORT_DISABLE_TELEMETRY"];
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  assert.equal(process.env["ORT_DISABLE_TELEMETRY"], "1");
  await runtime.close();
});

describe("the thread that asks", () => {
  /** A table of a megabyte and a matrix of another, in shared memory. */
  function tableGraph() {
    const [rows, width] = [2_048, 128];
    const shared = (): Float32Array => new Float32Array(new SharedArrayBuffer(4 * rows * width));
    const graph = new Graph();
    const table = graph.input("table", "float32", [rows, width]);
    const matrix = graph.input("matrix", "float32", [width, rows]);
    const ids = graph.input("ids", "int32", ["n"]);
    graph.output("y", matmul(gather(table, ids), matrix));
    const constants = new Map([
      ["table", shared()],
      ["matrix", shared()],
    ]);
    return { graph, constants };
  }

  it("hands over no bytes with a program, and writes a prepared one down once", async () => {
    const started = nextThread();
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const [worker] = (await started) as [Worker]; // what the event carries
    const messages: unknown[] = [];
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: unknown, buffers) => {
      messages.push(message);
      post(message, buffers as ArrayBuffer[]); // as the runtime gave them
    };
    const { graph, constants } = tableGraph();
    let readCount = 0;
    const nodes = graph.nodes;
    Object.defineProperty(graph, "nodes", { get: () => ((readCount += 1), nodes) });
    runtime.prepare(graph, constants);
    const preparedCount = readCount;
    for (let load = 0; load < 2; load++) await runtime.load(graph, { constants });
    assert.equal(readCount, preparedCount);
    assert.equal(messages.length, 2);
    assert.ok(ownBytesOf(messages) < 1_000, `${ownBytesOf(messages)} bytes`);
    await runtime.close();
  });

  /** The bytes that are copied when this is posted: buffers that are not shared. */
  function ownBytesOf(value: unknown): number {
    if (ArrayBuffer.isView(value))
      return value.buffer instanceof SharedArrayBuffer ? 0 : value.buffer.byteLength;
    if (value instanceof Map) return ownBytesOf([...value.values()]);
    if (typeof value !== "object" || value === null) return 0;
    return Object.values(value).reduce<number>((sum, part) => sum + ownBytesOf(part), 0);
  }

  it("is told of a place outside a table", async () => {
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const { graph, constants } = tableGraph();
    const program = await runtime.load(graph, { constants });
    for (const id of [-1, 2_048])
      await assert.rejects(
        program.run({
          ids: { kind: "value", type: "int32", shape: [1], values: Int32Array.of(id) },
        }),
        { code: "INTERNAL", message: new RegExp(`row ${id}: there are 2048`) },
      );
    await runtime.close();
  });
});

/** The next thread that the process starts. */
function nextThread(): Promise<unknown[]> {
  return once(process, "worker");
}

describe("a thread that dies", () => {
  const state = { y: "sum" };

  function numbers(...values: number[]): Value {
    return {
      kind: "value",
      type: "float32",
      shape: [values.length],
      values: Float32Array.from(values),
    };
  }

  /** x + y, where y becomes the sum if it is kept. */
  function sumGraph(): Graph {
    const graph = new Graph();
    const [x, y] = [graph.input("x", "float32", ["n"]), graph.input("y", "float32", ["n"])];
    graph.output("sum", add(x, y));
    graph.output("result", add(x, y));
    return graph;
  }

  /** Ends the thread as an error in it would, between two runs. */
  async function kill(thread: Promise<unknown[]>): Promise<void> {
    const [worker] = (await thread) as [Worker]; // what the event carries
    await worker.terminate();
  }

  it("is started again with its programs, and its state is not made up", async () => {
    const first = nextThread();
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const plain = await runtime.load(sumGraph());
    const keeping = await runtime.load(sumGraph(), { state });
    await keeping.write({ y: numbers(1, 1) });
    await keeping.run({ x: numbers(1, 2) });
    await kill(first);
    const feeds = () => ({ x: numbers(1, 2), y: numbers(10, 20) });
    assert.deepEqual((await plain.run(feeds()))["result"]?.values, Float32Array.of(11, 22));
    await assert.rejects(keeping.run({ x: numbers(1, 2) }), /state "y" was never written/);
    await assert.rejects(keeping.read(["y"]), /"y" was never written/);
    await keeping.write({ y: numbers(2, 2) });
    const { result } = await keeping.run({ x: numbers(1, 2) });
    assert.deepEqual(result?.values, Float32Array.of(3, 4));
    await runtime.close();
  });

  it("again and again without a run is given up, and that is UNAVAILABLE", async () => {
    let thread = nextThread();
    const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
    const plain = await runtime.load(sumGraph());
    for (let count = 0; count <= limits.threadRestartCountMax; count++) {
      const ended = thread;
      thread = nextThread();
      await kill(ended);
    }
    const asked = plain.run({ x: numbers(1), y: numbers(1) });
    await assert.rejects(asked, { code: "UNAVAILABLE", message: /ended 4 times in a row/ });
    await assert.rejects(runtime.load(sumGraph()), { code: "UNAVAILABLE" });
    await runtime.close();
  });
});
