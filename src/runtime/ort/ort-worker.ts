/**
 * The worker thread that owns ONNX Runtime's sessions: `run` and session creation block their
 * thread, so that they happen here. Commands are answered in order, one at a time. The thread ends
 * by a `close` command and never by termination, which would abort the process during a run.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { present } from "../../foundation/assert.ts";
import { isShared } from "../../foundation/shared-memory.ts";
import { withInitializers } from "../../tensor/onnx/model.ts";
import type { OnnxModel } from "../../tensor/onnx/to-onnx.ts";
import type { DataType, TypedValues } from "../../tensor/tensor.ts";
import { type Feeds, gatherRows, type Results, type StateNames, type Value } from "../runtime.ts";
import { loadOrt } from "./load-ort.ts";
import { lookUp } from "./look-up.ts";
import {
  type OrtCommand,
  type OrtOptions,
  type OrtReply,
  type OrtRequest,
  transfers,
} from "./protocol.ts";

interface Loaded {
  readonly session: InferenceSession;
  readonly outputs: readonly string[];
  readonly lookups: OnnxModel["lookups"];
  readonly state: StateNames;
  readonly values: Map<string, Tensor>;
}

const ort = await loadOrt();
const port = present(parentPort, "This module runs in a worker thread");
const options = workerData as OrtOptions; // given by OrtRuntime
const programs = new Map<number, Loaded>();
let tail: Promise<void> = Promise.resolve();

port.on("message", ({ id, command }: OrtRequest) => {
  tail = tail.then(async () => {
    try {
      const results = await execute(command);
      reply({ id, results }, transfers(results));
    } catch (error) {
      reply({ id, error: error instanceof Error ? error.message : String(error) }, []);
    }
    if (command.kind === "close") port.close();
  });
});

function reply(message: OrtReply, buffers: readonly ArrayBuffer[]): void {
  port.postMessage(message, buffers);
}

async function execute(command: OrtCommand): Promise<Results> {
  switch (command.kind) {
    case "load":
      await load(command);
      return {};
    case "run":
      return run(programOf(command.program), command.feeds);
    case "write":
      for (const [name, tensor] of Object.entries(tensorsOf(command.feeds)))
        programOf(command.program).values.set(name, tensor);
      return {};
    case "read":
      return read(programOf(command.program), command.names);
    case "release":
      await programOf(command.program).session.release();
      programs.delete(command.program);
      return {};
    case "close":
      for (const { session } of programs.values()) await session.release();
      programs.clear();
      return {};
  }
}

async function load(command: OrtCommand & { readonly kind: "load" }): Promise<void> {
  const { threadCount, spinUs } = options;
  const { program, model, state } = command;
  const { lookups } = model;
  // Tens of megabytes are put together here, where nobody waits.
  const bytes = withInitializers(model.bytes, model.constants);
  const session = await ort.InferenceSession.create(bytes, {
    intraOpNumThreads: threadCount,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    // Warnings speak to authors of models; errors come back as exceptions.
    logSeverityLevel: 3,
    extra: {
      session: {
        intra_op: { allow_spinning: spinUs > 0 ? "1" : "0", spin_duration_us: `${spinUs}` },
      },
      // They would turn Add + LayerNormalization and Add + Gelu into slower operators.
      optimization: { disable_specified_optimizers: "SkipLayerNormFusion;BiasGeluFusion" },
    },
  });
  const outputs = [...model.outputs.keys()];
  programs.set(program, { session, outputs, lookups, state, values: new Map() });
}

async function run(program: Loaded, feeds: Feeds): Promise<Results> {
  const inputs = { ...Object.fromEntries(program.values), ...tensorsOf(feeds) };
  for (const [name, lookup] of program.lookups) {
    const { data, dims } = present(inputs[lookup.places], "The model has an input of places");
    const rows = lookUp(lookup, data as Int32Array | BigInt64Array); // as `Lookup` says
    inputs[name] = new ort.Tensor("float32", rows, [...dims, ...lookup.row]);
  }
  const outputs = await program.session.run(inputs, program.outputs);
  const kept = new Set<string>();
  for (const [input, output] of Object.entries(program.state)) {
    if (output === null) continue;
    program.values.set(input, present(outputs[output], "A state output is an output"));
    kept.add(output);
  }
  const results: Record<string, Value> = {};
  for (const name of program.outputs)
    if (!kept.has(name)) results[name] = valueOf(present(outputs[name], "All outputs are fetched"));
  return results;
}

function read(program: Loaded, names: readonly string[]): Results {
  const results: Record<string, Value> = {};
  for (const name of names) {
    const value = valueOf(present(program.values.get(name), `State "${name}" was never written`));
    results[name] = { ...value, values: value.values.slice() };
  }
  return results;
}

function tensorsOf(feeds: Feeds): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  for (const [name, feed] of Object.entries(feeds)) {
    const values = feed.kind === "value" ? unshared(feed.values) : gatherRows(feed);
    tensors[name] = new ort.Tensor(feed.type, values, feed.shape);
  }
  return tensors;
}

/** ONNX Runtime takes no shared memory. */
function unshared(values: TypedValues): TypedValues {
  return isShared(values) ? values.slice() : values;
}

function valueOf(tensor: Tensor): Value {
  return {
    kind: "value",
    type: tensor.type as DataType, // the graph has no other types
    shape: tensor.dims,
    values: tensor.data as TypedValues, // numeric types only
  };
}

function programOf(id: number): Loaded {
  return present(programs.get(id), `Program ${id} is not loaded`);
}
