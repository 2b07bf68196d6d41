/**
 * The learning half of a training step, for any loss: gradients, clipping, the schedule and AdamW.
 * What is learned and its moments are inputs that each step replaces (`state` of a program).
 */
import { gradient } from "../tensor/gradient.ts";
import { mul, scalarOf } from "../tensor/operators/elementwise.ts";
import { adamW, clipScale, linearSchedule } from "../tensor/optimizer.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";

export interface StepGraph {
  readonly graph: Graph;
  /** Names of the learned inputs. */
  readonly learned: readonly string[];
  /** For `LoadOptions.state`. */
  readonly state: Readonly<Record<string, string | null>>;
}

export interface LearningOptions {
  /** Inputs of the graph, by name. */
  readonly learned: ReadonlyMap<string, Tensor>;
  /** Factor of the learning rate for an input; 1 where nothing is said. */
  readonly rateFactor?: (name: string) => number;
  /** Inputs whose new values and moments are results instead of state. */
  readonly isFed?: (name: string) => boolean;
}

const weightDecay = 0.01;
const gradientNormMax = 1;

/**
 * Declares the scalars `learningRate`, `step` (from 1), `stepCount`, `warmupCount`, and for each
 * learned input `<name>.mean` and `<name>.square`; outputs `loss` and the inputs' next values.
 */
export function learningStep(graph: Graph, loss: Tensor, options: LearningOptions): StepGraph {
  const { learned, rateFactor = () => 1, isFed = () => false } = options;
  graph.output("loss", loss);
  const scalar = (name: string): Tensor => graph.input(name, "float32", []);
  const [peak, step] = [scalar("learningRate"), scalar("step")];
  const [stepCount, warmupCount] = [scalar("stepCount"), scalar("warmupCount")];
  const rate = linearSchedule(step, { peak, stepCount, warmupCount });
  const gradients = gradient(loss, [...learned.values()]);
  const gradientScale = clipScale(gradients, gradientNormMax);
  const state: Record<string, string> = {};
  for (const [index, [name, parameter]] of [...learned].entries()) {
    const moment = (part: string): Tensor =>
      graph.input(`${name}.${part}`, "float32", parameter.shape);
    const factor = rateFactor(name);
    const update = adamW(
      parameter,
      {
        mean: moment("mean"),
        square: moment("square"),
        gradient: gradients[index] ?? scalarOf(parameter, 0),
      },
      {
        learningRate: factor === 1 ? rate : mul(rate, graph.scalar(factor)),
        step,
        gradientScale,
        weightDecay: isDecayed(name) ? weightDecay : 0,
      },
    );
    for (const [key, tensor] of [
      [name, update.parameter],
      [`${name}.mean`, update.mean],
      [`${name}.square`, update.square],
    ] as const) {
      graph.output(`next.${key}`, tensor);
      if (!isFed(name)) state[key] = `next.${key}`;
    }
  }
  return { graph, learned: [...learned.keys()], state };
}

/** Biases and normalisation gains are not decayed, as is usual. */
function isDecayed(name: string): boolean {
  return !name.endsWith(".bias") && !name.endsWith(".gain");
}
