/**
 * Runs that leave their results in buffers of the caller's. ONNX Runtime writes there, but its
 * binding then copies every output for JavaScript, which for the state of a training step takes a
 * fifth of the step. It copies them in their order and gives up at the first that is no tensor:
 * models get an empty sequence in front, and its refusal says that the run is over (decision 0016).
 * The binding promises nothing of the kind, so that a small model tries it first. Where a run ends
 * in another way, as it may in another release, models stay as they are, and outputs are copied.
 */
import type * as Ort from "onnxruntime-node";
import { withSequence } from "../../tensor/onnx/model.ts";
import { toOnnx } from "../../tensor/onnx/to-onnx.ts";
import { add } from "../../tensor/operators/elementwise.ts";
import { Graph } from "../../tensor/tensor.ts";

type Tensors = Readonly<Record<string, Ort.Tensor>>;

/** The first output, and what the binding says of it when all others are written. */
const endOfRun = "end of run";
const refusal = "Non tensor type is temporarily not supported.";

export class RunsInto {
  /** What ends a run without copies; undefined where outputs are copied. */
  readonly #end: string | undefined;

  private constructor(end: string | undefined) {
    this.#end = end;
  }

  /** Tries whether a run ends with these words. */
  static async open(ort: typeof Ort, end = refusal): Promise<RunsInto> {
    const runs = new RunsInto(end);
    return (await isWritten(ort, runs)) ? runs : new RunsInto(undefined);
  }

  get isCopying(): boolean {
    return this.#end === undefined;
  }

  /** The model as it is to be loaded. */
  written(model: Uint8Array): Uint8Array {
    return this.isCopying ? model : withSequence(model, endOfRun);
  }

  /** Runs a model that `written` has given; each output has a target. */
  async run(session: Ort.InferenceSession, inputs: Tensors, targets: Tensors): Promise<void> {
    if (this.isCopying) {
      await session.run(inputs, targets);
      return;
    }
    try {
      await session.run(inputs, { [endOfRun]: null, ...targets });
    } catch (error) {
      if (!(error instanceof Error) || error.message !== this.#end) throw error;
    }
  }
}

/** Whether a run ends so and has written what it should. */
async function isWritten(ort: typeof Ort, runs: RunsInto): Promise<boolean> {
  const graph = new Graph();
  const x = graph.input("x", "float32", [2]);
  graph.output("y", add(x, x));
  const tensor = (...values: number[]): Ort.Tensor =>
    new ort.Tensor("float32", Float32Array.from(values), [2]);
  const target = tensor(0, 0);
  const model = runs.written(toOnnx(graph).bytes);
  try {
    const session = await ort.InferenceSession.create(model, { logSeverityLevel: 3 });
    try {
      await runs.run(session, { x: tensor(1, 2) }, { y: target });
    } finally {
      await session.release();
    }
  } catch {
    return false;
  }
  return String(target.data) === "2,4";
}
