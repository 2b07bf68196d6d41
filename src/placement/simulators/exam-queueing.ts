/**
 * Queueing theory of two models on two devices, with arrivals at random and constant service times
 * (M/D/1): each model alone on a device, or both on a pipeline of two stages (AlpaServe, section
 * 3.4). Mean seconds from arrival to answer; rates per second.
 */

/** W = D + λD² / (2(1 - λD)); infinite if the queue is not stable. */
export function md1Seconds(rate: number, serviceSeconds: number): number {
  return pipelineSeconds(rate, { allSeconds: serviceSeconds, slowestSeconds: serviceSeconds });
}

/** A pipeline queues before its slowest stage only; `allSeconds` is the sum of its stages. */
export function pipelineSeconds(
  rate: number,
  { allSeconds, slowestSeconds }: { allSeconds: number; slowestSeconds: number },
): number {
  const utilisation = rate * slowestSeconds;
  if (utilisation >= 1) return Infinity;
  return allSeconds + (utilisation * slowestSeconds) / (2 * (1 - utilisation));
}

/** Each model on a device of its own; the first one gets the given share of the requests. */
export function dedicatedSeconds(rate: number, share: number, serviceSeconds: number): number {
  return (
    share * md1Seconds(share * rate, serviceSeconds) +
    (1 - share) * md1Seconds((1 - share) * rate, serviceSeconds)
  );
}

/**
 * The factor by which stages may be slower together than the model on one device until a pipeline
 * of two equal stages is no better than two devices; `load` is rate times service time, in (0, 2).
 */
export function communicationFactorMax(load: number): number {
  const r = load;
  const root = Math.sqrt(64 + r * (-96 + r * (56 + r * (-12 + r))));
  return (-8 + r ** 2 + root) / (3 * (r ** 2 - 2 * r));
}

/** The same for stages that take no longer together but are uneven: slowest over half the sum. */
export function imbalanceFactorMax(load: number): number {
  return (load - Math.sqrt(8 - 4 * load + load ** 2)) / (load - 2);
}
