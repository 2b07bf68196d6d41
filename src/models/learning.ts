/**
 * The learning half of a training step, for any loss: gradients, clipping, the schedule and AdamW.
 * What is learned and its moments are inputs that each step replaces (`state` of a program).
 */
import { gradient } from "../tensor/gradient.ts";
import { mul, scalarOf } from "../tensor/operators/elementwise.ts";
import { adamW, clipScale, linearSchedule } from "../tensor/optimizer.ts";
import type { Graph, Tensor } from "../tensor/tensor.ts";
import type { DeclaredWeight } from "./declared-weight.ts";

export interface StepGraph {
  readonly graph: Graph;
  /** Names of the learned inputs. */
  readonly learned: readonly string[];
  /** What `LoadOptions.state` takes. */
  readonly state: Readonly<Record<string, string | null>>;
}

/** An input of the graph that learns. */
export interface LearnedInput {
  readonly name: string;
  readonly tensor: Tensor;
  readonly isDecayed: boolean;
  /** Factor of the learning rate. */
  readonly rateFactor: number;
  /** Whether its new values and moments are results instead of state; not when absent. */
  readonly isFed?: boolean;
}

/**
 * A weight of an encoder, as it learns: matrices and tables are decayed; biases, gains of
 * normalisation and other vectors are not, as is usual.
 */
export function encoderInput(
  name: string,
  { tensor, role }: DeclaredWeight,
  rateFactor = 1,
): LearnedInput {
  return { name, tensor, isDecayed: role === "matrix" || role === "table", rateFactor };
}

const weightDecay = 0.01;
const gradientNormMax = 1;

/**
 * Declares the scalars `learningRate`, `step` (from 1), `stepCount`, `warmupCount`, and for each
 * learned input `<name>.mean` and `<name>.square`; outputs `loss` and the inputs' next values.
 */
export function learningStep(
  graph: Graph,
  loss: Tensor,
  learned: readonly LearnedInput[],
): StepGraph {
  graph.output("loss", loss);
  const scalar = (name: string): Tensor => graph.input(name, "float32", []);
  const [peak, step] = [scalar("learningRate"), scalar("step")];
  const [stepCount, warmupCount] = [scalar("stepCount"), scalar("warmupCount")];
  const rate = linearSchedule(step, { peak, stepCount, warmupCount });
  const gradients = gradient(
    loss,
    learned.map(({ tensor }) => tensor),
  );
  const gradientScale = clipScale(gradients, gradientNormMax);
  const state: Record<string, string> = {};
  for (const [
    index,
    { name, tensor: parameter, isDecayed, rateFactor, isFed },
  ] of learned.entries()) {
    const moment = (part: string): Tensor =>
      graph.input(`${name}.${part}`, "float32", parameter.shape);
    const update = adamW(
      parameter,
      {
        mean: moment("mean"),
        square: moment("square"),
        gradient: gradients[index] ?? scalarOf(parameter, 0),
      },
      {
        learningRate: rateFactor === 1 ? rate : mul(rate, graph.scalar(rateFactor)),
        step,
        gradientScale,
        weightDecay: isDecayed ? weightDecay : 0,
      },
    );
    for (const [key, tensor] of [
      [name, update.parameter],
      [`${name}.mean`, update.mean],
      [`${name}.square`, update.square],
    ] as const) {
      graph.output(`next.${key}`, tensor);
      if (isFed !== true) state[key] = `next.${key}`;
    }
  }
  return { graph, learned: learned.map(({ name }) => name), state };
}
