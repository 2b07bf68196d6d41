/**
 * Distils a base into its hierarchical form on plain text. The run can be stopped and resumed at
 * any step: batches are a function of seed and step, and all that is learned is in its checkpoints.
 */
import type { BaseWeights } from "../checkpoints/base-weights.ts";
import { constantsOf } from "../checkpoints/base-weights.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import { present } from "../foundation/assert.ts";
import { SeededRandom } from "../foundation/random.ts";
import { distillationExam, distillationStep } from "../models/distillation-graph.ts";
import { ngramPrefix } from "../models/hierarchy.ts";
import type { StepGraph } from "../models/learning.ts";
import type { Program, Runtime, Value } from "../runtime/runtime.ts";
import { type NgramMasking, ngramFeeds } from "./ngram-batch.ts";
import { type Batch, shuffledBatches, sortedBatches } from "./sequences.ts";

export interface DistillationOptions {
  readonly learningRate: number;
  /** Tokens of a batch, padding included. */
  readonly batchTokensMax: number;
  readonly stepCount: number;
  readonly masking: NgramMasking;
  readonly seed: number;
  /** Steps between two looks at the held-out texts, each followed by a checkpoint. */
  readonly checkpointStepCount: number;
}

export interface DistillationTask {
  readonly config: EncoderConfig;
  /** Of the base. */
  readonly weights: BaseWeights;
  /** Token ids of the texts that it learns from, and of others that judge it. */
  readonly train: readonly Int32Array[];
  readonly heldOut: readonly Int32Array[];
}

/** How near the hierarchical form is to its base on held-out texts. */
export interface DistillationPoint {
  readonly step: number;
  /** Real tokens learned from so far. */
  readonly tokenCount: number;
  /** Mean loss of the steps since the point before; null at the start. */
  readonly loss: number | null;
  /** Relative squared error of the state between the parts, then of each upper layer's. */
  readonly errors: readonly number[];
  /** Mean cosine of the texts' mean vectors. */
  readonly cosine: number;
}

/** Everything that a resumed run needs: learned values with moments, and the curve so far. */
export interface DistillationCheckpoint {
  readonly values: ReadonlyMap<string, Value>;
  readonly curve: readonly DistillationPoint[];
}

export interface DistillationRun {
  readonly options: DistillationOptions;
  readonly from?: DistillationCheckpoint;
  readonly signal?: AbortSignal;
  /** Called at each point; the run goes on when it resolves. */
  readonly onCheckpoint: (checkpoint: DistillationCheckpoint) => Promise<void>;
}

const warmupShare = 0.05;
const sequencesMax = 64;

/** Runs to the last step; the weights of the hierarchical form are in the last checkpoint. */
export async function distil(
  runtime: Runtime,
  task: DistillationTask,
  run: DistillationRun,
): Promise<void> {
  const { options, from, signal, onCheckpoint } = run;
  const step = await loadStep(runtime, distillationStep(task.config), task);
  const exam = await loadStep(runtime, distillationExam(task.config), task);
  const state = from?.values ?? initialState(step.graph, task);
  await step.program.write(copiesOf([...state]));
  const curve = [...(from?.curve ?? [])];
  const look = async (point: Omit<DistillationPoint, "errors" | "cosine">): Promise<void> => {
    const names = step.graph.learned.flatMap((name) => [name, `${name}.mean`, `${name}.square`]);
    const values = new Map(Object.entries(await step.program.read(names)));
    const learned = [...values].filter(([name]) => name in exam.graph.state);
    await exam.program.write(copiesOf(learned));
    curve.push({ ...point, ...(await judge(exam.program, task.heldOut, options)) });
    await onCheckpoint({ values, curve });
  };
  if (curve.length === 0) await look({ step: 0, tokenCount: 0, loss: null });
  const start = present(curve.at(-1), "there is a point at the start");
  let { tokenCount } = start;
  const losses: number[] = [];
  const batches = new Batches(task.train, options);
  for (let number = start.step + 1; number <= options.stepCount; number++) {
    signal?.throwIfAborted();
    const sequences = batches.at(number - 1);
    const random = new SeededRandom(options.seed, number);
    const results = await step.program.run({
      ...ngramFeeds(sequences, { shares: options.masking, random }),
      ...scheduleFeeds(number, options),
    });
    losses.push(Number(results["loss"]?.values[0]));
    for (const { length } of sequences) tokenCount += length;
    if (number % options.checkpointStepCount !== 0 && number !== options.stepCount) continue;
    await look({ step: number, tokenCount, loss: losses.reduce((a, b) => a + b) / losses.length });
    losses.length = 0;
  }
}

/** Batches by step: epoch after epoch, each in an order of its own. */
class Batches {
  readonly #texts: readonly Int32Array[];
  readonly #options: DistillationOptions;
  #epoch = -1;
  #batches: readonly Batch[] = [];
  /** Steps before the current epoch. */
  #start = 0;

  constructor(texts: readonly Int32Array[], options: DistillationOptions) {
    this.#texts = texts;
    this.#options = options;
  }

  /** The texts of the step, counted from 0; steps are asked for in rising order. */
  at(step: number): readonly Int32Array[] {
    while (step >= this.#start + this.#batches.length) {
      this.#start += this.#batches.length;
      this.#epoch += 1;
      const { seed, batchTokensMax: tokensMax } = this.#options;
      const random = new SeededRandom(seed, 0x8000_0000 + this.#epoch);
      this.#batches = shuffledBatches({ ids: this.#texts }, { sequencesMax, tokensMax }, random);
    }
    return textsOf(this.#texts, this.#batches[step - this.#start] ?? []);
  }
}

function textsOf(texts: readonly Int32Array[], batch: Batch): readonly Int32Array[] {
  return batch.map((index) => present(texts[index], "a batch indexes the texts"));
}

interface LoadedStep {
  readonly graph: StepGraph;
  readonly program: Program;
}

async function loadStep(
  runtime: Runtime,
  step: StepGraph,
  { weights }: DistillationTask,
): Promise<LoadedStep> {
  const constants = constantsOf(step.graph, weights);
  return { graph: step, program: await runtime.load(step.graph, { constants, state: step.state }) };
}

/** The tri-gram part starts as the base's shallow layers at the first three positions. */
function initialState(
  { graph, learned }: StepGraph,
  { config, weights }: DistillationTask,
): ReadonlyMap<string, Value> {
  const lastShallow = `layer.${config.shallowLayerCount - 1}.outer`;
  const state = new Map<string, Value>();
  for (const name of learned) {
    const shape = (graph.inputs.get(name)?.shape ?? []).map(Number);
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const ownName = name.slice(ngramPrefix.length).replace(/^merge\.norm/, `${lastShallow}.norm`);
    const source = weights.get(ownName);
    if (source instanceof Float32Array) values.set(source.subarray(0, values.length));
    // Three slots make a token: each counts a third at first.
    if (ownName === "gate.bias") values.fill(-Math.LN2);
    state.set(name, { type: "float32", shape, values });
    for (const moment of ["mean", "square"])
      state.set(`${name}.${moment}`, {
        type: "float32",
        shape,
        values: new Float32Array(values.length),
      });
  }
  return state;
}

async function judge(
  exam: Program,
  texts: readonly Int32Array[],
  { batchTokensMax: tokensMax }: DistillationOptions,
): Promise<Pick<DistillationPoint, "errors" | "cosine">> {
  const sums: number[] = [];
  let [cosineSum, tokenCount] = [0, 0];
  for (const batch of sortedBatches(texts, { sequencesMax, tokensMax })) {
    const sequences = textsOf(texts, batch);
    const { errors, cosines } = await exam.run(ngramFeeds(sequences));
    const weight = sequences.reduce((sum, { length }) => sum + length, 0);
    tokenCount += weight;
    for (const [index, error] of [...floats(errors)].entries())
      sums[index] = (sums[index] ?? 0) + weight * error;
    cosineSum += floats(cosines).reduce((a, b) => a + b, 0);
  }
  return { errors: sums.map((sum) => sum / tokenCount), cosine: cosineSum / texts.length };
}

function scheduleFeeds(step: number, options: DistillationOptions): Record<string, Value> {
  const { learningRate, stepCount } = options;
  const warmupCount = Math.ceil(stepCount * warmupShare);
  const scalar = (value: number): Value => ({
    type: "float32",
    shape: [],
    values: Float32Array.of(value),
  });
  return {
    learningRate: scalar(learningRate),
    step: scalar(step),
    stepCount: scalar(stepCount),
    warmupCount: scalar(warmupCount),
  };
}

function floats(value: Value | undefined): Float32Array {
  return present(value, "an output of the graph").values as Float32Array; // float32 outputs
}

/** The runtime takes buffers over, and the caller keeps its values. */
function copiesOf(entries: readonly (readonly [string, Value])[]): Record<string, Value> {
  return Object.fromEntries(
    entries.map(([name, value]) => [name, { ...value, values: value.values.slice() }]),
  );
}
