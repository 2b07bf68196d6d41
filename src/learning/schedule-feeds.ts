/** What `learningStep` asks of every step, and what it gives, whatever is learned. */
import { present } from "../foundation/assert.ts";
import { float32Result, type Results, type Value } from "../runtime/runtime.ts";
import type { Feed } from "./sequences.ts";

export interface Schedule {
  /** The rate at its peak. */
  readonly learningRate: number;
  /** The step's number, from 1. */
  readonly step: number;
  readonly stepCount: number;
  /** The share of the steps in which the rate rises. */
  readonly warmupShare: number;
}

export function scheduleFeeds({ learningRate, step, stepCount, warmupShare }: Schedule): Feed {
  return {
    learningRate: scalar(learningRate),
    step: scalar(step),
    stepCount: scalar(stepCount),
    warmupCount: scalar(Math.ceil(stepCount * warmupShare)),
  };
}

/** The loss before the step. */
export function lossOf(results: Results): number {
  return present(float32Result(results, "loss").values[0], "the loss is a scalar");
}

function scalar(value: number): Value {
  return { kind: "value", type: "float32", shape: [], values: Float32Array.of(value) };
}
