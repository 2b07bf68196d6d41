/** Scores on test as a tenant would see them: through the serving graph, in its precision. */
import { upperForm } from "../src/models/adapters/adapters.ts";
import { constantsOf, linearForms } from "../src/checkpoints/base-weights.ts";
import { present } from "../src/foundation/assert.ts";
import { familyOf } from "../src/models/families/families.ts";
import { quantizeGraph } from "../src/models/quantize.ts";
import { versionTensors } from "../src/models/version-tensors.ts";
import { servingGraph } from "../src/models/serving-graph.ts";
import type { Resident } from "../src/lanes/lane.ts";
import { textFeeds } from "../src/lanes/batch-feeds.ts";
import { float32Result, floatsOf, type Runtime } from "../src/runtime/runtime.ts";
import type { TypedValues } from "../src/tensor/tensor.ts";
import type { Fitted } from "../src/learning/learning.ts";
import {
  evaluationShape,
  type Sequences,
  sortedBatches,
  type Source,
  sourceFeeds,
} from "../src/learning/sequences.ts";
import type { TrainingBase } from "../src/learning/training-base.ts";
import { type Answer, scoreOf, type TaskKind } from "../src/tasks/tasks.ts";

export interface ServingOptions {
  readonly base: TrainingBase;
  readonly runtime: Runtime;
  readonly kind: TaskKind;
  readonly labelCount: number;
}

type Learned = Pick<Fitted, "tensors" | "adapter">;
type Tensors = Learned["tensors"];

/**
 * The task's score on `test`. The tensors are a head, and an adapter or the base's own weights
 * where they were learned. States that `test` brings take the place of the shallow part.
 */
export async function servedScore(
  learned: Learned,
  options: ServingOptions & { readonly test: Sequences },
): Promise<number> {
  const { kind, test } = options;
  const answers = await serve(learned, options);
  const judged = answers.map((answer, index) =>
    kind.judged(test.answers[index] ?? new Int32Array(), answer),
  );
  return scoreOf(judged);
}

/** The answer to each sequence. */
async function serve(
  { tensors, adapter }: Learned,
  options: ServingOptions & { readonly test: Source },
): Promise<readonly Answer[]> {
  const { base, runtime, kind, labelCount, test } = options;
  const { config, pooling } = base.checkpoint;
  const adapters = [upperForm(config)];
  const source = test.states === undefined ? "ids" : "states";
  const graph = servingGraph(config, base.precision, {
    ...{ adapters, task: kind.graph.unit, source },
  });
  const constants = constantsOf(graph, await weightsOf(tensors, options));
  const program = await runtime.load(graph, { constants });
  const outputCount = kind.outputCount(labelCount);
  const parts = versionTensors(config, { adapter, outputCount }).map(({ name }) => name);
  const { memory, resident } = placed(tensors, parts);
  const answers: Answer[] = Array.from({ length: test.ids.length });
  for (const batch of sortedBatches(test.ids, evaluationShape)) {
    const rows = batch.map((index) => ({
      ids: test.ids[index] ?? new Int32Array(),
      pooling,
      adapter,
      outputCount,
      resident,
    }));
    const feeds = {
      ...textFeeds(config, rows, { memory, adapters }),
      ...sourceFeeds(test, batch, { pooling, hiddenSize: config.hiddenSize }),
    };
    const own = Object.entries(feeds).filter(([name]) => graph.inputs.has(name));
    const results = await program.run(Object.fromEntries(own));
    const { values: all } = float32Result(results, "probabilities");
    const width = all.length / batch.length;
    for (const [row, index] of batch.entries())
      answers[index] = kind.answerOf(all.subarray(row * width, (row + 1) * width), {
        labelCount,
        firsts: test.firsts?.[index],
      });
  }
  await program.release();
  return answers;
}

/** The base's weights, with those that were learned in their place, quantised anew. */
async function weightsOf(
  tensors: Tensors,
  { base, runtime }: ServingOptions,
): Promise<ReadonlyMap<string, TypedValues>> {
  const weights = new Map(base.weights);
  const quantizer = await runtime.load(quantizeGraph());
  const { config } = base.checkpoint;
  for (const { name, role } of familyOf(config).checkpoint.tensors(config)) {
    const learned = tensors.get(role === "matrix" ? `${name}.weight` : name);
    if (learned === undefined) continue;
    const { values } = floatsOf(learned, name);
    if (role !== "matrix") {
      weights.set(name, values);
      continue;
    }
    const { shape } = learned;
    const stored = { shape: shape.toReversed(), values: transposed(values, shape) };
    for (const [form, array] of await linearForms(quantizer, stored))
      weights.set(`${name}.${form}`, array);
  }
  await quantizer.release();
  return weights;
}

function transposed(values: Float32Array, shape: readonly number[]): Float32Array {
  const [rows = 0, columns = 0] = shape;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = values[row * columns + column] ?? 0;
  return result;
}

/** Adapter and head in memory that a worker can read. */
function placed(
  tensors: Tensors,
  parts: readonly string[],
): { readonly memory: Float32Array; readonly resident: Resident } {
  const own = parts.map((name) => [name, present(tensors.get(name), "a learned part")] as const);
  const length = own.reduce((sum, [, { values }]) => sum + values.length, 0);
  const memory = new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
  const resident = new Map<string, { offset: number; length: number }>();
  let offset = 0;
  for (const [name, { values }] of own) {
    memory.set(values as Float32Array, offset); // learned values are float32
    resident.set(name, { offset, length: values.length });
    offset += values.length;
  }
  return { memory, resident };
}
