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
import { type Feeds, gatherRows, type Results, type Value } from "../runtime.ts";
import { isReplaced, KeptValues } from "./kept-values.ts";
import { loadOrt } from "./load-ort.ts";
import { lookUp } from "./look-up.ts";
import { RunsInto } from "./runs-into.ts";
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
  readonly kept: KeptValues;
  /** How it runs if it replaces state. */
  readonly into: RunsInto | undefined;
}

const ort = await loadOrt();
const port = present(parentPort, "This module runs in a worker thread");
const options = workerData as OrtOptions; // given by OrtRuntime
const programs = new Map<number, Loaded>();
/** It is tried out when the first program that replaces state is loaded. */
let runsInto: Promise<RunsInto> | undefined;
const arrays = {
  float32: Float32Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Readonly<Record<DataType, unknown>>;
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
      return run(programOf(command.program), command);
    case "write":
      for (const [name, tensor] of Object.entries(tensorsOf(command.feeds)))
        programOf(command.program).kept.write(name, tensor);
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
  const { program, model, state, overwritten } = command;
  const { lookups } = model;
  // Tens of megabytes are put together here, where nobody waits.
  const bytes = withInitializers(model.bytes, model.constants);
  const into = isReplaced(state) ? await (runsInto ??= RunsInto.open(ort)) : undefined;
  const session = await ort.InferenceSession.create(into?.written(bytes) ?? bytes, {
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
  const kept = new KeptValues(state, overwritten, emptyTensor);
  programs.set(program, { session, outputs, lookups, kept, into });
}

async function run(
  { session, outputs, lookups, kept, into }: Loaded,
  { feeds, results }: OrtCommand & { readonly kind: "run" },
): Promise<Results> {
  const inputs = { ...kept.inputs, ...tensorsOf(feeds) };
  for (const [name, lookup] of lookups) {
    const { data, dims } = present(inputs[lookup.places], "The model has an input of places");
    const rows = lookUp(lookup, data as Int32Array | BigInt64Array); // as `Lookup` says
    inputs[name] = new ort.Tensor("float32", rows, [...dims, ...lookup.row]);
  }
  if (results === undefined || into === undefined)
    return valuesOf(await session.run(inputs, outputs));
  const tensors: Record<string, Tensor> = {};
  for (const [name, { type, shape }] of Object.entries(results))
    tensors[name] = emptyTensor({ type, dims: shape });
  try {
    await into.run(session, inputs, { ...kept.targets, ...tensors });
  } catch (error) {
    kept.forgetTorn();
    throw error;
  }
  kept.advance();
  return valuesOf(tensors);
}

function read(program: Loaded, names: readonly string[]): Results {
  const results: Record<string, Value> = {};
  for (const name of names) {
    const value = valueOf(program.kept.read(name));
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

function emptyTensor({ type, dims }: Pick<Tensor, "type" | "dims">): Tensor {
  const count = dims.reduce((product, size) => product * size, 1);
  const array = arrays[type as DataType]; // the graph has no other types
  return new ort.Tensor(type, new array(count), dims);
}

function valuesOf(tensors: Readonly<Record<string, Tensor>>): Results {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, valueOf(tensor)]),
  );
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
