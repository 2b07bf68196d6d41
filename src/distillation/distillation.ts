/**
 * Teaches a base's hierarchical form from plain text: by distillation, or by another objective that
 * is judged beside it. The run can be stopped and resumed at any step: batches are a function of
 * seed and step, and all that is learned is in its save points.
 */
import type { BaseWeights } from "../checkpoints/base-weights.ts";
import type { EncoderConfig } from "../entities/base-model.ts";
import { CloseStack } from "../foundation/close-stack.ts";
import { elementCount } from "../foundation/element-count.ts";
import { present } from "../foundation/assert.ts";
import { type Random, SeededRandom } from "../foundation/random.ts";
import type { Shares } from "../knowledge/counting.ts";
import {
  basePrefix,
  distillationExam,
  distillationStep,
  type LearnedPart,
} from "../models/distillation-graph.ts";
import { hierarchyWeights } from "../models/hierarchical-states.ts";
import type { StepGraph } from "../models/learning.ts";
import type { TypedValues } from "../tensor/tensor.ts";
import { float32Result, type Program, type Runtime, type Value } from "../runtime/runtime.ts";
import { BackOff, type Hidden } from "./back-off.ts";
import { ngramFeeds } from "./ngram-batch.ts";
import { type LearningPhase, loadGraph, PhasedLearner, writeState } from "./phased-learner.ts";
import { type Batch, type Feed, shuffledBatches, sortedBatches } from "../learning/sequences.ts";

export interface DistillationOptions {
  readonly learningRate: number;
  /** Tokens of a batch, padding included. */
  readonly batchTokensMax: number;
  readonly stepCount: number;
  /** Shares of the text's n-grams that a table is thought to hold; see `BackOff`. */
  readonly shares: Shares;
  /** The share of a batch's texts whose tri-grams are seen as that table finds them. */
  readonly lookedUpShare: number;
  /** The upper layers' learning rate over the others', where they learn. */
  readonly upperRateFactor: number;
  readonly seed: number;
  /** Steps between two looks at the held-out texts, each followed by a save point. */
  readonly savePointStepCount: number;
}

export interface DistillationTask {
  readonly config: EncoderConfig;
  readonly base: BaseWeights;
  /** The weights of the hierarchical form that the run starts from, or of the base. */
  readonly weights: BaseWeights;
  readonly learns: LearnedPart;
  /** Whether the upper layers are the form's own, learned or given, and not the base's. */
  readonly ownsUpper: boolean;
  /** Token ids of the texts that it learns from, and of others that judge it. */
  readonly train: readonly Int32Array[];
  readonly heldOut: readonly Int32Array[];
}

/** What the loop asks of a way to learn; distillation is here. */
export interface HierarchyObjective {
  readonly phases: readonly LearningPhase[];
  /** The texts of a step, for its phase's graph; `hidden` is what a table would not tell. */
  feeds(
    texts: readonly Int32Array[],
    drawn: { readonly hidden: Hidden; readonly random: Random },
  ): Feed;
  /** The start of a learned value that is not of the hierarchical form. */
  initialValue?(this: void, name: string, shape: readonly number[]): Float32Array;
  readonly exam?: {
    readonly graph: StepGraph;
    judge(program: Program, batches: readonly (readonly Int32Array[])[]): Promise<WordScore>;
  };
}

/** How well masked words of held-out texts are told. */
export interface WordScore {
  /** Mean cross-entropy of a masked token, in nats. */
  readonly loss: number;
  readonly accuracy: number;
}

/** How near the hierarchical form is to its base on held-out texts. */
export interface Nearness {
  /** Relative squared error of the state between the parts, then of each upper layer's. */
  readonly errors: readonly number[];
  /** Mean cosine of the texts' mean vectors. */
  readonly cosine: number;
}

/** Its own nearness is that with every tri-gram computed. */
export interface DistillationPoint extends Nearness {
  readonly step: number;
  /** Real tokens learned from so far. */
  readonly tokenCount: number;
  /** Mean loss of the steps since the point before; null at the start. */
  readonly loss: number | null;
  /** The same where tri-grams are seen as a table finds them, which is how they are served. */
  readonly lookedUp: Nearness;
  /** How masked words are told, when they are learned. */
  readonly words?: WordScore;
}

/** Everything that a resumed run needs: values, moments of the learned, and the curve so far. */
export interface SavePoint {
  /** All of the hierarchical form, learned or not, and what else is learned. */
  readonly values: ReadonlyMap<string, Value>;
  readonly curve: readonly DistillationPoint[];
}

export interface DistillationRun {
  readonly options: DistillationOptions;
  /** Distillation when absent. */
  readonly objective?: HierarchyObjective;
  readonly from?: SavePoint;
  readonly signal?: AbortSignal;
  /** It is called at each point; the run goes on when it resolves. */
  readonly onSavePoint: (reached: SavePoint) => Promise<void>;
}

const sequencesMax = 64;

/** Runs to the last step; the weights of the hierarchical form are in the last save point. */
export async function distil(
  runtime: Runtime,
  task: DistillationTask,
  run: DistillationRun,
): Promise<void> {
  const loaded = new CloseStack();
  try {
    await distilBy({ runtime, loaded }, task, run);
  } finally {
    await loaded.close();
  }
}

/** The runtime that programs are loaded into, and what releases them. */
interface Loading {
  readonly runtime: Runtime;
  readonly loaded: CloseStack;
}

async function distilBy(
  { runtime, loaded }: Loading,
  task: DistillationTask,
  run: DistillationRun,
): Promise<void> {
  const { options, from, signal, onSavePoint } = run;
  const objective = run.objective ?? distillation(task, options);
  const backOff = new BackOff(task.train, options.shares);
  const judge = await loadJudge({ runtime, loaded }, task, { objective, options, backOff });
  const learner = new PhasedLearner(
    runtime,
    { phases: objective.phases, weights: allWeights(task), learningRate: options.learningRate },
    from?.values ?? initialValues(task, objective),
  );
  loaded.add(() => learner.release());
  const curve = [...(from?.curve ?? [])];
  const look = async (point: Omit<DistillationPoint, keyof Verdict>): Promise<void> => {
    const values = await learner.values();
    curve.push({ ...point, ...(await judge(values)) });
    await onSavePoint({ values, curve });
  };
  if (curve.length === 0) await look({ step: 0, tokenCount: 0, loss: null });
  const start = present(curve.at(-1), "there is a point at the start");
  let { tokenCount } = start;
  const losses: number[] = [];
  const batches = new Batches(task.train, options);
  for (let number = start.step + 1; number <= options.stepCount; number++) {
    signal?.throwIfAborted();
    const texts = batches.at(number - 1);
    const random = new SeededRandom(options.seed, number);
    const hidden = texts.map((text) =>
      random.uniform() < options.lookedUpShare ? backOff.hiddenIn(text) : undefined,
    );
    const feeds = objective.feeds(texts, { hidden, random });
    losses.push(await learner.step(number, feeds));
    for (const { length } of texts) tokenCount += length;
    if (number % options.savePointStepCount !== 0 && number !== options.stepCount) continue;
    await look({ step: number, tokenCount, loss: losses.reduce((a, b) => a + b) / losses.length });
    losses.length = 0;
  }
}

function distillation(task: DistillationTask, options: DistillationOptions): HierarchyObjective {
  const graph = distillationStep(task.config, task.learns, options.upperRateFactor);
  return {
    phases: [{ graph, stepCount: options.stepCount }],
    feeds: (texts, { hidden }) => ngramFeeds(texts, hidden),
  };
}

/** The form's by the names of its graphs, and the base's layers, which it is compared with. */
function allWeights({ base, weights }: DistillationTask): BaseWeights {
  const prefixed = [...base].map(([name, values]) => [`${basePrefix}${name}`, values] as const);
  return new Map([...weights, ...prefixed]);
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

/** The form's weights start as the given form's, or as the base's; the objective knows the rest. */
function initialValues(
  { config, weights, ownsUpper }: DistillationTask,
  { phases, initialValue }: HierarchyObjective,
): ReadonlyMap<string, Value> {
  const starts = new Map(hierarchyWeights(config, ownsUpper).map((own) => [own.name, own.start]));
  const graphs = [distillationExam(config, ownsUpper), ...phases.map(({ graph }) => graph)];
  const startOf = (name: string, shape: readonly number[]): TypedValues | undefined => {
    const start = starts.get(name);
    if (start === undefined) return initialValue?.(name, shape);
    return typeof start === "string" ? weights.get(start) : Float32Array.of(start);
  };
  const state = new Map<string, Value>();
  for (const { graph, learned } of graphs)
    for (const name of learned) {
      const shape = (graph.inputs.get(name)?.shape ?? []).map(Number);
      const values = new Float32Array(elementCount(shape));
      const source = weights.get(name) ?? startOf(name, shape);
      // One number fills the vector that it starts.
      if (source?.length === 1) values.fill(Number(source[0]));
      else if (source instanceof Float32Array) values.set(source.subarray(0, values.length));
      state.set(name, { kind: "value", type: "float32", shape, values });
    }
  return state;
}

type Verdict = Pick<DistillationPoint, "errors" | "cosine" | "lookedUp" | "words">;

/** Loads what judges the values of a run on the held-out texts, always in the same batches. */
async function loadJudge(
  { runtime, loaded }: Loading,
  task: DistillationTask,
  {
    objective,
    options,
    backOff,
  }: Required<Pick<DistillationRun, "objective" | "options">> & { readonly backOff: BackOff },
): Promise<(values: ReadonlyMap<string, Value>) => Promise<Verdict>> {
  const { config, heldOut, ownsUpper } = task;
  const shape = { sequencesMax, tokensMax: options.batchTokensMax };
  const batches = sortedBatches(heldOut, shape).map((batch) => textsOf(heldOut, batch));
  const graph = distillationExam(config, ownsUpper);
  const weights = allWeights(task);
  const load = async (judging: StepGraph): Promise<Program> => {
    const program = await loadGraph(runtime, judging, weights);
    loaded.add(() => program.release());
    return program;
  };
  const program = await load(graph);
  const { exam } = objective;
  const ownProgram = exam && (await load(exam.graph));
  return async (values) => {
    await writeState(program, graph, values);
    const computed = await nearnessOf(program, batches);
    const lookedUp = await nearnessOf(program, batches, backOff);
    const nearness = { ...computed, lookedUp };
    if (exam === undefined || ownProgram === undefined) return nearness;
    await writeState(ownProgram, exam.graph, values);
    return { ...nearness, words: await exam.judge(ownProgram, batches) };
  };
}

async function nearnessOf(
  exam: Program,
  batches: readonly (readonly Int32Array[])[],
  backOff?: BackOff,
): Promise<Nearness> {
  const sums: number[] = [];
  let [cosineSum, tokenCount, textCount] = [0, 0, 0];
  for (const texts of batches) {
    const hidden = texts.map((text) => backOff?.hiddenIn(text));
    const results = await exam.run(ngramFeeds(texts, hidden));
    const weight = texts.reduce((sum, { length }) => sum + length, 0);
    tokenCount += weight;
    textCount += texts.length;
    for (const [index, error] of float32Result(results, "errors").values.entries())
      sums[index] = (sums[index] ?? 0) + weight * error;
    cosineSum += float32Result(results, "cosines").values.reduce((a, b) => a + b, 0);
  }
  return { errors: sums.map((sum) => sum / tokenCount), cosine: cosineSum / textCount };
}
