/** Optimisers and learning-rate schedules as graph. */
import { add, div, exp, max, min, mul, scalarOf, sqrt, sub } from "./operators/elementwise.ts";
import { reduceSumSquare } from "./operators/neural.ts";
import { reject, type Tensor } from "./tensor.ts";

export interface AdamState {
  /**
   * The running mean of the gradient, of the parameter's shape, times √(1 - β2) / (1 - β1): the
   * term that is added to it is then the root of what is added to the other.
   */
  readonly mean: Tensor;
  /** The running mean of the gradient's square. */
  readonly square: Tensor;
}

export interface AdamOptions {
  /** Scalar float32. */
  readonly learningRate: Tensor;
  /** Scalar float32, 1 at the first step. */
  readonly step: Tensor;
  readonly weightDecay: number;
  /** Scalar factor of the gradient, such as `clipScale` gives. */
  readonly gradientScale?: Tensor;
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

export interface AdamUpdate extends AdamState {
  readonly parameter: Tensor;
}

/** One step of AdamW (Loshchilov and Hutter 2019, algorithm 2) with bias correction. */
export function adamW(
  parameter: Tensor,
  state: AdamState & { readonly gradient: Tensor },
  options: AdamOptions,
): AdamUpdate {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, learningRate, step } = options;
  const k = (value: number): Tensor => scalarOf(parameter, value);
  const g = state.gradient;
  // Scale and corrections are folded into scalars: the step is bound by passes over large tensors.
  const scale = options.gradientScale ?? k(1);
  const root = Math.sqrt(1 - beta2);
  const term = mul(mul(k(root), scale), g);
  const mean = add(mul(k(beta1), state.mean), term);
  const square = add(mul(k(beta2), state.square), mul(term, term));
  const rootOfSquare = sqrt(correction(beta2, step));
  const rate = mul(learningRate, k((1 - beta1) / root));
  const stepSize = div(mul(rate, rootOfSquare), correction(beta1, step));
  const denominator = add(sqrt(square), mul(k(epsilon), rootOfSquare));
  const change = mul(stepSize, div(mean, denominator));
  const decayed =
    options.weightDecay === 0
      ? parameter
      : mul(parameter, sub(k(1), mul(learningRate, k(options.weightDecay))));
  return { parameter: sub(decayed, change), mean, square };
}

/** min(1, `normMax` / the gradients' common L2 norm), a scalar. */
export function clipScale(gradients: readonly Tensor[], normMax: number): Tensor {
  const [firstOne, ...others] = gradients.map(squaredSum);
  if (firstOne === undefined) throw reject("clipScale", "there are no gradients");
  const norm = sqrt(others.reduce(add, firstOne));
  const one = scalarOf(norm, 1);
  return min(one, div(scalarOf(norm, normMax), max(norm, scalarOf(norm, 1e-12))));
}

export interface ScheduleOptions {
  readonly peak: Tensor;
  /** Scalars: steps in all and of them with a rising rate. */
  readonly stepCount: Tensor;
  readonly warmupCount: Tensor;
}

/**
 * Rises linearly from 0 before the first step to `peak` at the end of the warm-up, then falls
 * linearly. It would be 0 at the step after the last, so that every step learns something.
 */
export function linearSchedule(step: Tensor, options: ScheduleOptions): Tensor {
  const { peak, stepCount, warmupCount } = options;
  const one = scalarOf(step, 1);
  const rising = div(step, max(warmupCount, one));
  const end = add(stepCount, one);
  const falling = div(sub(end, step), max(sub(end, warmupCount), one));
  return mul(peak, max(scalarOf(step, 0), min(one, min(rising, falling))));
}

/** 1 - beta^step. */
function correction(beta: number, step: Tensor): Tensor {
  const power = exp(mul(step, scalarOf(step, Math.log(beta))));
  return sub(scalarOf(step, 1), power);
}

function squaredSum(x: Tensor): Tensor {
  const axes = x.shape.map((_, axis) => axis);
  return reduceSumSquare(x, axes);
}
