/**
 * Model buckets: units whose latencies differ much are kept apart, since a short request behind
 * long ones misses its deadline (AlpaServe, section 4.2.3). Buckets share neither devices nor
 * units, so what they serve adds up, and the best split of the devices is found by dynamic
 * programming where the original tries splits.
 */
import { type Candidate, isBetter } from "../judge.ts";
import { soloSeconds, type Unit } from "../placement.ts";

/** Units of one cluster differ at most by this factor from the quickest one. */
const latencyRatioMax = 1.38;
/** Four clusters at most; the fourth root is two square roots, which every engine rounds alike. */
const fourthRoot = (value: number): number => Math.sqrt(Math.sqrt(value));

/** Neighbours in latency together, quickest first; a unit's latency is that of a request alone. */
export function latencyClusters(units: readonly Unit[]): readonly (readonly number[])[] {
  const latencies = units.map(soloSeconds);
  const [least, most] = [Math.min(...latencies), Math.max(...latencies)];
  const even = fourthRoot(most / least);
  const ratio = Math.max(latencyRatioMax, even * (1 + Number.EPSILON * 8));
  const order = [...units.keys()].toSorted((a, b) => (latencies[a] ?? 0) - (latencies[b] ?? 0));
  const clusters: number[][] = [];
  let first = 0;
  for (const unit of order) {
    const seconds = latencies[unit] ?? 0;
    if (clusters.length > 0 && seconds <= first * ratio) clusters.at(-1)?.push(unit);
    else {
      clusters.push([unit]);
      first = seconds;
    }
  }
  return clusters;
}

/** Neighbouring clusters [from, until) as one bucket, on so many devices. */
export interface Bucket {
  readonly from: number;
  readonly until: number;
  readonly deviceCount: number;
}

/** Every bucket that is worth trying; those of the first cluster take what does not divide. */
export function bucketsOf(clusterCount: number, deviceCount: number): readonly Bucket[] {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(deviceCount / 4)));
  const buckets: Bucket[] = [{ from: 0, until: clusterCount, deviceCount }];
  for (let from = 0; from < clusterCount; from++)
    for (let until = from + 1; until <= clusterCount; until++) {
      if (until - from === clusterCount) continue;
      const least = from === 0 ? deviceCount % step || step : step;
      for (let count = least; count < deviceCount; count += step)
        buckets.push({ from, until, deviceCount: count });
    }
  return buckets;
}

export interface Filled extends Bucket {
  readonly candidate: Candidate;
}

/** Buckets that together hold all clusters and take all devices. */
export interface Split {
  readonly parts: readonly Filled[];
  readonly goodCount: number;
}

/** Best first: of the best splits of the clusters before, each with every last bucket. */
export function bestSplits(
  filled: readonly Filled[],
  clusterCount: number,
  deviceCount: number,
): readonly Split[] {
  // [clusters before][devices before]
  let known = new Map<string, Split>([["0 0", { parts: [], goodCount: 0 }]]);
  const whole: Split[] = [];
  for (const part of bestOfEach(filled).toSorted((a, b) => a.until - b.until)) {
    const next = new Map(known);
    for (const [key, split] of known) {
      const [clusters = 0, devices = 0] = key.split(" ").map(Number);
      if (clusters !== part.from) continue;
      const grown = {
        parts: [...split.parts, part],
        goodCount: split.goodCount + part.candidate.counts.goodCount,
      };
      const taken = devices + part.deviceCount;
      if (part.until === clusterCount && taken === deviceCount) whole.push(grown);
      const to = `${part.until} ${taken}`;
      if (taken <= deviceCount && grown.goodCount > (next.get(to)?.goodCount ?? -1))
        next.set(to, grown);
    }
    known = next;
  }
  return whole.toSorted((a, b) => b.goodCount - a.goodCount);
}

/** The best of its shapes for each bucket. */
function bestOfEach(filled: readonly Filled[]): readonly Filled[] {
  const best = new Map<string, Filled>();
  for (const part of filled) {
    const key = [part.from, part.until, part.deviceCount].join(" ");
    const known = best.get(key);
    if (known === undefined || isBetter(part.candidate.counts, known.candidate.counts))
      best.set(key, part);
  }
  return [...best.values()];
}
