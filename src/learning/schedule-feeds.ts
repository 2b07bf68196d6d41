/** What `learningStep` asks of every step, whatever is learned. */
import type { Value } from "../runtime/runtime.ts";
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

function scalar(value: number): Value {
  return { kind: "value", type: "float32", shape: [], values: Float32Array.of(value) };
}
