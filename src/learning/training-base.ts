/**
 * A base model made ready for training. Each program of its training graphs holds the weights once
 * more: what keeps state is loaded for one owner, who releases it, and what keeps none is shared.
 */
import type { Precision } from "../entities/base-model.ts";
import type { FittedOn } from "../entities/virtual-model.ts";
import { type BaseWeights, constantsOf } from "../checkpoints/base-weights.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import type { StepGraph } from "../models/learning.ts";
import { gramGraph } from "../models/ridge-graph.ts";
import { shallowGraph } from "../models/serving-graph.ts";
import {
  featuresGraph,
  logitsGraph,
  stepGraph,
  type TrainingGraphOptions,
} from "../models/training-graph.ts";
import type { TaskUnit } from "../models/task-graph.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { type RidgeSolver, solveInThread } from "./ridge-solver.ts";
import { SharedPrograms } from "./shared-programs.ts";
import type { Shape } from "../tensor/dimension.ts";
import type { Graph } from "../tensor/tensor.ts";

export interface LearningProgram {
  readonly program: Program;
  /** Learned inputs by name, with their shapes. */
  readonly learned: ReadonlyMap<string, Shape>;
}

type Method = Pick<TrainingGraphOptions, "method" | "adapter" | "source" | "task">;

export class TrainingBase {
  readonly checkpoint: Checkpoint;
  readonly weights: BaseWeights;
  /** The frozen linears' precision: the one that serves. */
  readonly precision: Precision;
  /** Fits heads in closed form, by default in a thread of its own. */
  readonly solve: RidgeSolver;
  readonly #runtime: Runtime;
  readonly #shared = new SharedPrograms();

  constructor(options: {
    readonly checkpoint: Checkpoint;
    readonly weights: BaseWeights;
    readonly precision: Precision;
    readonly runtime: Runtime;
    readonly solve?: RidgeSolver;
  }) {
    this.checkpoint = options.checkpoint;
    this.weights = options.weights;
    this.precision = options.precision;
    this.solve = options.solve ?? solveInThread;
    this.#runtime = options.runtime;
  }

  /** What versions say that are fitted here: the training graphs compute the dense form. */
  get fittedOn(): FittedOn {
    const { precision } = this;
    return { form: "dense", domain: undefined, pooling: this.checkpoint.pooling, precision };
  }

  /** One training step; its learned values and their AdamW state are state inputs. */
  async loadStep(method: Method): Promise<LearningProgram> {
    const step = stepGraph(this.#options(method));
    const { learned, graph } = step;
    const shapes = learned.map((name) => [name, graph.inputs.get(name)?.shape ?? []] as const);
    return { program: await this.#load(step), learned: new Map(shapes) };
  }

  /** Scores of the labels; the learned values are state inputs. */
  async loadLogits(method: Method): Promise<Program> {
    return this.#load(logitsGraph(this.#options(method)));
  }

  /** The weighted products of features; it holds no weights. */
  async loadGram(): Promise<Program> {
    return this.#load(plain(gramGraph()));
  }

  /** One vector per text, or per token, of the base alone. */
  withFeatures<T>(
    { source, unit }: { readonly source: "ids" | "states"; readonly unit: TaskUnit },
    work: (program: Program) => Promise<T>,
  ): Promise<T> {
    const { precision } = this;
    const { config } = this.checkpoint;
    const load = async (): Promise<Program> =>
      this.#load(plain(featuresGraph({ config, precision, source, unit })));
    return this.#shared.use(`features ${source} ${unit}`, load, work);
  }

  /** The hidden state between the shallow and the upper part. */
  withShallow<T>(work: (program: Program) => Promise<T>): Promise<T> {
    const load = async (): Promise<Program> =>
      this.#load(plain(shallowGraph(this.checkpoint.config, this.precision)));
    return this.#shared.use("shallow", load, work);
  }

  #options(method: Method): TrainingGraphOptions {
    const precision = method.method === "full" ? "fp32" : this.precision;
    return { config: this.checkpoint.config, precision, ...method };
  }

  #load({ graph, learned, state }: StepGraph): Promise<Program> {
    const constants = constantsOf(graph, this.weights);
    for (const name of learned) constants.delete(name);
    return this.#runtime.load(graph, { constants, state });
  }
}

function plain(graph: Graph): StepGraph {
  return { graph, learned: [], state: {} };
}
