/**
 * A base model made ready for training: the programs of its training graphs, loaded once each and
 * shared by all jobs, since labels and ranks are open dimensions of the graphs.
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
import { sequenceClasses, type TaskUnit } from "../models/task-graph.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { type RidgeSolver, solveInThread } from "./ridge-solver.ts";
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
  readonly #programs = new Map<string, Promise<LearningProgram>>();

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
  step(method: Method): Promise<LearningProgram> {
    return this.#program(`step ${keyOf(method)}`, () => stepGraph(this.#options(method)));
  }

  /** Scores of the labels; the learned values are state inputs. */
  logits(method: Method): Promise<LearningProgram> {
    return this.#program(`logits ${keyOf(method)}`, () => logitsGraph(this.#options(method)));
  }

  /** One vector per text, or per token, of the base alone. */
  async features(source: "ids" | "states", unit: TaskUnit): Promise<Program> {
    const { precision } = this;
    const { config } = this.checkpoint;
    const make = (): StepGraph => plain(featuresGraph({ config, precision, source, unit }));
    return (await this.#program(`features ${source} ${unit}`, make)).program;
  }

  /** The hidden state between the shallow and the upper part. */
  async shallow(): Promise<Program> {
    const make = (): StepGraph => plain(shallowGraph(this.checkpoint.config, this.precision));
    return (await this.#program("shallow", make)).program;
  }

  async gram(): Promise<Program> {
    return (await this.#program("gram", () => plain(gramGraph()))).program;
  }

  #options(method: Method): TrainingGraphOptions {
    const precision = method.method === "full" ? "fp32" : this.precision;
    return { config: this.checkpoint.config, precision, ...method };
  }

  #program(key: string, make: () => StepGraph): Promise<LearningProgram> {
    const known = this.#programs.get(key);
    if (known !== undefined) return known;
    const loading = this.#load(make());
    this.#programs.set(key, loading);
    // The next job tries again.
    loading.catch(() => this.#programs.delete(key));
    return loading;
  }

  async #load({ graph, learned, state }: StepGraph): Promise<LearningProgram> {
    const constants = constantsOf(graph, this.weights);
    for (const name of learned) constants.delete(name);
    const program = await this.#runtime.load(graph, { constants, state });
    const shapes = learned.map((name) => [name, graph.inputs.get(name)?.shape ?? []] as const);
    return { program, learned: new Map(shapes) };
  }
}

function keyOf({ method, adapter, source, task = sequenceClasses }: Method): string {
  const form = adapter && `${adapter.kind} ${adapter.layers.join()}`;
  const { unit, lossName } = task;
  return `${method === "full" ? method : form} ${source} ${unit} ${lossName}`;
}

function plain(graph: Graph): StepGraph {
  return { graph, learned: [], state: {} };
}
