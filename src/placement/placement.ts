/**
 * Placement: many models over many devices, as values. A demand on units, a cluster and an
 * objective go in; a plan comes out: disjoint groups of devices, each running one parallel
 * configuration that all units on it share (AlpaServe, OSDI 2023, section 4). Everything here is
 * in seconds and bytes, and immutable; simulators judge a plan, `verify` says whether it can be
 * applied at all.
 */

/** How a group runs a model; it takes `intraOp * stageCount` devices. */
export interface Configuration {
  /** Devices that share each operator: GPUs, or the cores of one session. */
  readonly intraOp: number;
  /** Stages of the pipeline. */
  readonly stageCount: number;
}

/** What one request, or a batch of them, takes in each stage. */
export interface Latency {
  readonly batchSize: number;
  /** Tokens of each request of the batch. */
  readonly tokenCount: number;
  /** [stageCount] */
  readonly stageSeconds: readonly number[];
}

/** What a unit takes under one configuration: measured, or sliced from measured layers. */
export interface Profile {
  readonly configuration: Configuration;
  /** Batch size 1 is always among them. */
  readonly latencies: readonly Latency[];
  /** Weights on each device of a stage, [stageCount]. */
  readonly stageBytes: readonly number[];
  /** Weights per device that are there once however many units of the group name them. */
  readonly shared?: readonly SharedWeights[];
}

/** A base or a domain's table under the units that stand on it. */
export interface SharedWeights {
  readonly name: string;
  readonly deviceBytes: number;
}

/** What is placed as one and what requests ask for: a model, or a shard of a base's vPLMs. */
export interface Unit {
  readonly name: string;
  /** Tokens of a typical request; decides which latencies hold. */
  readonly tokenCount: number;
  /** One for each configuration that can run it. */
  readonly profiles: readonly Profile[];
}

/** A machine with equal devices: GPUs, or sets of cores. */
export interface ClusterNode {
  readonly name: string;
  readonly deviceCount: number;
  /** Memory for weights on each device; what activations need is already taken off. */
  readonly deviceBytes: number;
}

/** Devices are numbered from 0 through the nodes in their order. */
export interface Cluster {
  readonly nodes: readonly ClusterNode[];
  /** What handing a request to the next stage costs on another node; within one it is measured. */
  readonly linkSeconds: number;
}

export interface Objective {
  /** The time from arrival to answer, of each unit in order. */
  readonly deadlineSeconds: readonly number[];
  /** Share of all requests to be answered in time. */
  readonly attainment: number;
}

/** What is to be planned; the demand comes beside it. */
export interface Problem {
  readonly units: readonly Unit[];
  readonly cluster: Cluster;
  readonly objective: Objective;
}

/** Requests in order of arrival: two columns of one length. */
export interface Arrivals {
  readonly seconds: Float64Array;
  /** Index of the unit that is asked for. */
  readonly units: Uint32Array;
}

/** Arrivals of one unit in one window, as a Gamma process. */
export interface Load {
  /** Requests per second; 0 is silence. */
  readonly rate: number;
  /** Coefficient of variation of the times between arrivals: 1 is Poisson, more is bursty. */
  readonly cv: number;
}

/** The demand as a distribution, from which arrivals are drawn. */
export interface Demand {
  readonly windowSeconds: number;
  /** [unit][window] */
  readonly loads: readonly (readonly Load[])[];
}

export interface Group {
  /** Stage k runs on `intraOp` of them from `k * intraOp` on. */
  readonly devices: readonly number[];
  readonly configuration: Configuration;
  /** Names. */
  readonly units: readonly string[];
}

export interface Plan {
  readonly groups: readonly Group[];
}

/** What became of each request, in the order of the arrivals; columns of one length. */
export interface Outcomes {
  /** 1 if answered within its deadline. */
  readonly isGood: Uint8Array;
  /** The time at which it was answered or rejected. */
  readonly finishSeconds: Float64Array;
  /** Index of the group that it was sent to; -1 if none hosts its unit. */
  readonly groups: Int32Array;
}

export interface Tally {
  readonly requestCount: number;
  readonly goodCount: number;
}

/** What a simulator says of a plan. */
export interface Report extends Tally {
  /** Good over all; rejected requests count as misses. */
  readonly attainment: number;
  /** The mean from arrival to answer, of the requests that were served in time. */
  readonly meanSeconds: number;
  readonly p50Seconds: number;
  readonly p99Seconds: number;
  readonly units: readonly Tally[];
  readonly groups: readonly Tally[];
}

/** The overheads that a simulator adds to measured latencies; one value per machine and runtime. */
export interface SimulationProfile {
  readonly name: string;
  /** A stage takes its latency times 1 + this times the number of stages. */
  readonly stagePenalty: number;
  /** The way from the client to the dispatcher. */
  readonly receiveSeconds: number;
  /** from there to the group's admission, */
  readonly dispatchSeconds: number;
  /** from there to the first stage. */
  readonly startSeconds: number;
  /** What admission adds to the finish that its clocks predict. */
  readonly slackSeconds: number;
  /** Whether stage times and deadlines are rounded to float32, as the reference stores them. */
  readonly isFloat32: boolean;
}

/** Measured latencies and nothing else. */
export const idealProfile: SimulationProfile = {
  name: "ideal",
  stagePenalty: 0,
  receiveSeconds: 0,
  dispatchSeconds: 0,
  startSeconds: 0,
  slackSeconds: 0,
  isFloat32: false,
};

/** The overheads by which AlpaServe's fast simulator was fitted to its testbed. */
export const alpaserveProfile: SimulationProfile = {
  ...idealProfile,
  name: "alpaserve",
  stagePenalty: 0.009,
  startSeconds: 0.011,
  slackSeconds: 0.011,
  isFloat32: true,
};

/** Undefined where the unit cannot run so. */
export function profileOf(unit: Unit, configuration: Configuration): Profile | undefined {
  return unit.profiles.find(
    (profile) =>
      profile.configuration.intraOp === configuration.intraOp &&
      profile.configuration.stageCount === configuration.stageCount,
  );
}

/**
 * Bytes that units take on each device of a group: of each its largest stage, and what they share
 * once. Infinity if one of them cannot run in this configuration.
 */
export function groupBytes(units: readonly Unit[], configuration: Configuration): number {
  const shared = new Map<string, number>();
  let own = 0;
  for (const unit of units) {
    const profile = profileOf(unit, configuration);
    if (profile === undefined) return Infinity;
    own += Math.max(...profile.stageBytes);
    for (const { name, deviceBytes } of profile.shared ?? [])
      shared.set(name, Math.max(deviceBytes, shared.get(name) ?? 0));
  }
  return [...shared.values()].reduce((sum, bytes) => sum + bytes, own);
}

/**
 * Stage times of the smallest measured batch and length that the request fits into; of the largest
 * measured ones if it fits into none.
 */
export function stageSeconds(
  { latencies }: Profile,
  { batchSize, tokenCount }: Omit<Latency, "stageSeconds">,
): readonly number[] {
  const fitting = latencies.filter(
    (row) => row.batchSize >= batchSize && row.tokenCount >= tokenCount,
  );
  const size = (row: Latency): number => row.batchSize * row.tokenCount;
  const smallest = fitting.reduce<Latency | undefined>(
    (best, row) => (best === undefined || size(row) < size(best) ? row : best),
    undefined,
  );
  const largest = latencies.reduce((best, row) => (size(row) > size(best) ? row : best));
  return (smallest ?? largest).stageSeconds;
}

/** What a request of the unit's length takes alone, on as few devices as can run it. */
export function soloSeconds({ profiles, tokenCount }: Unit): number {
  const size = ({ configuration: { intraOp, stageCount } }: Profile): number =>
    intraOp * stageCount;
  const fewest = Math.min(...profiles.map(size));
  const rows = profiles.filter((profile) => size(profile) === fewest);
  return Math.min(
    ...rows.map((profile) =>
      stageSeconds(profile, { batchSize: 1, tokenCount }).reduce((a, b) => a + b, 0),
    ),
  );
}
