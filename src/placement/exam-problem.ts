/** Small units and arrivals for the exams of this folder. */
import type { Arrivals, Configuration, Unit } from "./placement.ts";

export const alone: Configuration = { intraOp: 1, stageCount: 1 };
export const twoStages: Configuration = { intraOp: 1, stageCount: 2 };

/** One byte and the given seconds per stage, in the configuration of that many stages. */
export function unitOf(name: string, ...stageSeconds: readonly (readonly number[])[]): Unit {
  return {
    name,
    tokenCount: 1,
    profiles: stageSeconds.map((seconds) => ({
      configuration: { intraOp: 1, stageCount: seconds.length },
      latencies: [{ batchSize: 1, tokenCount: 1, stageSeconds: seconds }],
      stageBytes: seconds.map(() => 1),
    })),
  };
}

/** Makes arrivals of pairs of second and unit. */
export function arrivalsOf(...requests: readonly (readonly [number, number])[]): Arrivals {
  return {
    seconds: Float64Array.from(requests, ([seconds]) => seconds),
    units: Uint32Array.from(requests, ([, unit]) => unit),
  };
}
