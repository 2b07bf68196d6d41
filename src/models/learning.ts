/**
 * The learning half of a training step, for any loss: gradients, clipping, the schedule and AdamW.
 * What is learned and its moments are inputs that each step replaces (`state` of a program).
 */
import { present } from "../foundation/assert.ts";
import { gradient } from "../tensor/gradient.ts";
import { mul, scalarOf } from "../tensor/operators/elementwise.ts";
import { concat, split } from "../tensor/operators/shape.ts";
import {
  type AdamOptions,
  type AdamUpdate,
  adamW,
  clipScale,
  linearSchedule,
} from "../tensor/optimizer.ts";
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
  const lessons = new Map<string, Lesson[]>();
  for (const [index, input] of learned.entries()) {
    const lesson = { ...input, gradient: gradients[index] ?? scalarOf(input.tensor, 0) };
    const alike = lessons.get(learnedWith(lesson)) ?? [];
    lessons.set(learnedWith(lesson), [...alike, lesson]);
  }
  const state: Record<string, string> = {};
  for (const alike of lessons.values()) {
    const updates = updated(alike, { learningRate: rate, step, gradientScale });
    for (const [index, { name, isFed }] of alike.entries())
      for (const [key, parts] of Object.entries(updates)) {
        const input = key === "parameter" ? name : `${name}.${key}`;
        graph.output(`next.${input}`, present(parts[index], "a part for each"));
        if (isFed !== true) state[input] = `next.${input}`;
      }
  }
  return { graph, learned: learned.map(({ name }) => name), state };
}

interface Lesson extends LearnedInput {
  readonly gradient: Tensor;
}

/**
 * Says which inputs learn as one. Vectors and what is of open size are small, and there are many of
 * them: each alone would be a dozen nodes, of which one costs as much as thousands of elements.
 */
function learnedWith({ name, tensor, isDecayed, rateFactor, isFed }: Lesson): string {
  const [rows, ...width] = tensor.shape;
  const isSmall = isFed !== true && (width.length === 0 || typeof rows === "string");
  return isSmall ? `${isDecayed} ${rateFactor} ${width.join()}` : name;
}

/** The next values of inputs that learn alike, in their order; declares their moments. */
function updated(
  alike: readonly Lesson[],
  options: Omit<AdamOptions, "weightDecay">,
): Readonly<Record<keyof AdamUpdate, readonly Tensor[]>> {
  const [{ tensor, isDecayed, rateFactor }] = alike as [Lesson]; // a group has one
  const { graph } = tensor.node;
  const moments = (part: string): Tensor => {
    const inputs = alike.map(({ name, tensor: { shape } }) =>
      graph.input(`${name}.${part}`, "float32", shape),
    );
    return concat(inputs, 0);
  };
  const joined = (part: "tensor" | "gradient"): Tensor =>
    concat(
      alike.map((lesson) => lesson[part]),
      0,
    );
  const rate = options.learningRate;
  const update = adamW(
    joined("tensor"),
    { mean: moments("mean"), square: moments("square"), gradient: joined("gradient") },
    {
      ...options,
      learningRate: rateFactor === 1 ? rate : mul(rate, graph.scalar(rateFactor)),
      weightDecay: isDecayed ? weightDecay : 0,
    },
  );
  const sizes = alike.map(({ tensor: { shape } }) => present(shape[0], "it has an axis"));
  const parts = (whole: Tensor): readonly Tensor[] => split(whole, sizes, 0);
  return {
    parameter: parts(update.parameter),
    mean: parts(update.mean),
    square: parts(update.square),
  };
}
