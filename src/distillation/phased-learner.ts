/**
 * Steps through one or more phases of learning: each has a graph of its own and an optimiser that
 * starts fresh, and takes over the values that the one before has learned. What is learned lives
 * here as the state of the current phase's program.
 */
import { type BaseWeights, constantsOf } from "../checkpoints/base-weights.ts";
import { present } from "../foundation/assert.ts";
import type { StepGraph } from "../models/learning.ts";
import type { Program, Runtime, Value } from "../runtime/runtime.ts";
import { lossOf, scheduleFeeds } from "../learning/schedule-feeds.ts";
import type { Feed } from "../learning/sequences.ts";

/** A stretch of the run with an optimiser and a schedule of its own. */
export interface LearningPhase {
  readonly graph: StepGraph;
  readonly stepCount: number;
}

interface PhasedLearning {
  readonly phases: readonly LearningPhase[];
  /** The weights that no phase learns. */
  readonly weights: BaseWeights;
  /** Peak of each phase's schedule. */
  readonly learningRate: number;
}

const warmupShare = 0.05;
const moments = ["mean", "square"] as const;

export class PhasedLearner {
  readonly #runtime: Runtime;
  readonly #learning: PhasedLearning;
  readonly #values: Map<string, Value>;
  #current: { readonly phase: LearningPhase; readonly program: Program } | undefined;

  /** `values`: where it starts, or goes on from; then with the moments of what was learned. */
  constructor(runtime: Runtime, learning: PhasedLearning, values: ReadonlyMap<string, Value>) {
    this.#runtime = runtime;
    this.#learning = learning;
    this.#values = new Map(values);
  }

  /** One step, counted from 1 over all phases; returns the loss before it. */
  async step(number: number, feeds: Feed): Promise<number> {
    const { learningRate } = this.#learning;
    const { phase, step } = this.#place(number);
    const program = await this.#enter(phase, step === 1);
    const { stepCount } = phase;
    const schedule = scheduleFeeds({ learningRate, step, stepCount, warmupShare });
    return lossOf(await program.run({ ...feeds, ...schedule }));
  }

  /** The phase of a step, and the step counted in it. */
  #place(number: number): { readonly phase: LearningPhase; readonly step: number } {
    let step = number;
    const phase = this.#learning.phases.find(({ stepCount }) => {
      if (step <= stepCount) return true;
      step -= stepCount;
      return false;
    });
    return { phase: present(phase, "every step is of a phase"), step };
  }

  /** All values as they are now, with the moments of the learned. */
  async values(): Promise<ReadonlyMap<string, Value>> {
    if (this.#current !== undefined) {
      const { phase, program } = this.#current;
      const learned = await program.read(Object.keys(phase.graph.state));
      for (const [name, value] of Object.entries(learned)) this.#values.set(name, value);
    }
    return new Map(this.#values);
  }

  /** Frees the current phase's program, with what it has learned since `values`. */
  async release(): Promise<void> {
    await this.#current?.program.release();
    this.#current = undefined;
  }

  async #enter(phase: LearningPhase, isFirstStep: boolean): Promise<Program> {
    if (this.#current?.phase === phase) return this.#current.program;
    const values = new Map(await this.values());
    await this.#current?.program.release();
    const { graph } = phase;
    if (isFirstStep)
      for (const name of graph.learned) {
        const {
          shape,
          values: { length },
        } = present(values.get(name), "it starts somewhere");
        for (const moment of moments) {
          const zeros = new Float32Array(length);
          values.set(`${name}.${moment}`, { kind: "value", type: "float32", shape, values: zeros });
        }
      }
    const program = await loadGraph(this.#runtime, graph, this.#learning.weights);
    await writeState(program, graph, values);
    this.#current = { phase, program };
    return program;
  }
}

/** What the graph does not keep as state are weights that stay. */
export function loadGraph(
  runtime: Runtime,
  { graph, state }: StepGraph,
  weights: BaseWeights,
): Promise<Program> {
  const constants = constantsOf(graph, weights);
  for (const name of Object.keys(state)) constants.delete(name);
  return runtime.load(graph, { constants, state });
}

/** Sets the graph's state; the runtime takes buffers over, and the caller keeps its values. */
export async function writeState(
  program: Program,
  { state }: StepGraph,
  values: ReadonlyMap<string, Value>,
): Promise<void> {
  const copies = Object.keys(state).map((name) => {
    const value = present(values.get(name), "every state has a value");
    return [name, { ...value, values: value.values.slice() }] as const;
  });
  await program.write(Object.fromEntries(copies));
}
