/**
 * The reference cases of `../shared/cases/placement`, in the values of `placement/`: what
 * AlpaServe's own simulator said of given placements. A checkout that has none beside it skips
 * the claims.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { present } from "../src/foundation/assert.ts";
import { mergeArrivals } from "../src/placement/demand.ts";
import type { Planning } from "../src/placement/judge.ts";
import type { Layout } from "../src/placement/simulators/kernel.ts";
import {
  alpaserveProfile,
  type Arrivals,
  type Cluster,
  type Demand,
  type Profile,
  type Unit,
} from "../src/placement/placement.ts";

/** What a placement is judged on. */
export interface Scene {
  readonly units: readonly Unit[];
  readonly deadlineSeconds: readonly number[];
  readonly layouts: readonly Layout[];
  readonly arrivals: Arrivals;
}

export interface SimulationCase {
  readonly name: string;
  /** `fast_sim`, `fast_sim_single_stage`, `fast_sim_batching` or `event_driven`. */
  readonly kind: string;
  /** The constants of `event_driven`: overheads in seconds. */
  readonly constants: Readonly<Record<string, number>>;
  readonly scene: Scene;
  readonly expected: {
    readonly isGood: readonly boolean[];
    readonly finishSeconds: readonly number[];
    readonly attainment: number;
  };
}

/** A placement with the share of requests that it served in time. */
export interface ReferenceRow {
  readonly policy: string;
  readonly workload: string;
  readonly scene: Scene;
  readonly attainment: number;
  /** Deadlines over latencies on one device. */
  readonly sloScale: number;
  readonly deviceCount: number;
  readonly deviceBytes: number;
}

export interface PublishedRow extends ReferenceRow {
  /** The types of its models. */
  readonly types: readonly string[];
  /** The attainment with no requests left out. */
  readonly attainmentOfAll: number;
}

/** A problem that the reference searched on, and what its policies reached. */
export interface SearchCase {
  readonly name: string;
  readonly planning: Planning;
  /** Share in time, by policy. */
  readonly reached: Readonly<Record<string, number>>;
  /** The best of all placements in groups of one shape. */
  readonly exhaustive?: number;
}

/** The folder of the cases, or undefined when this checkout has none beside it. */
export function placementCases(): string | undefined {
  const folder = join(import.meta.dirname, "../../../shared/cases/placement");
  return existsSync(folder) ? folder : undefined;
}

export function readSimulationCases(folder: string): readonly SimulationCase[] {
  const cases = read<RawCase[]>(join(folder, "small/sim_cases.json"));
  return cases.map(({ id, kind, constants, models, groups, requests, expected }) => ({
    name: id,
    kind,
    constants,
    scene: {
      units: models.map(({ name, profile }) => unitOf(name, profile)),
      deadlineSeconds: models.map(({ slo_s }) => slo_s),
      layouts: groups.map(layoutOf),
      arrivals: arrivalsOf(requests),
    },
    expected: {
      isGood: expected.good,
      finishSeconds: expected.finish_s,
      attainment: expected.goodput,
    },
  }));
}

export function readSearchCases(folder: string): readonly SearchCase[] {
  const cases = read<RawSearchCase[]>(join(folder, "small/search_cases.json"));
  return cases.map(({ id, models, cluster, requests, results, exhaustive }) => ({
    name: id,
    planning: {
      problem: {
        units: models.map(({ name, profile }) => unitOf(name, profile)),
        cluster: clusterOf(cluster.num_devices, cluster.mem_budget_bytes),
        objective: { deadlineSeconds: models.map(({ slo_s }) => slo_s), attainment: 1 },
      },
      arrivals: arrivalsOf(requests),
      profile: alpaserveProfile,
    },
    reached: Object.fromEntries(results.map(({ policy, goodput }) => [policy, goodput])),
    ...(exhaustive && { exhaustive: exhaustive.best_goodput }),
  }));
}

/** Equal devices, eight to a node, as in the reference. */
export function clusterOf(deviceCount: number, deviceBytes: number): Cluster {
  const nodes = Array.from({ length: Math.ceil(deviceCount / 8) }, (_, node) => ({
    name: `n${node}`,
    deviceCount: Math.min(8, deviceCount - 8 * node),
    deviceBytes,
  }));
  return { nodes, linkSeconds: 0 };
}

/** The published rows: attainment with 10 s left out at each end, to three decimals. */
export function readPublishedRows(folder: string): readonly PublishedRow[] {
  const models = readModels(folder);
  const workloadOf = readWorkloads(join(folder, "published/workloads"));
  const lines = gunzipSync(readFileSync(join(folder, "published/rows.jsonl.gz"))).toString();
  return lines
    .trim()
    .split("\n")
    .map((line): PublishedRow => {
      const row = JSON.parse(line) as RawRow; // the file's own shape
      const profiles = row.model_types.map((type) => profilesOf(models, type));
      return {
        policy: row.policy,
        workload: row.workload,
        attainment: row.published_goodput,
        attainmentOfAll: row.rerun_goodput_all,
        types: row.model_types,
        sloScale: row.slo_scale,
        deviceCount: row.num_devices,
        deviceBytes: row.mem_budget_bytes,
        scene: {
          units: profiles.map((profile, index) => unitOf(`m${index}`, profile)),
          deadlineSeconds: profiles.map((profile) => row.slo_scale * aloneSeconds(profile)),
          layouts: row.groups.map(layoutOf),
          arrivals: workloadOf(row.workload),
        },
      };
    });
}

/** The rows on the Azure sample that tell their placement: attainment over all requests. */
export function readAzureRows(folder: string): readonly ReferenceRow[] {
  const models = readModels(folder);
  const workloadOf = readWorkloads(join(folder, "azure-sample/dense/workloads"));
  const { rows } = read<{ rows: RawAzureRow[] }>(join(folder, "azure-sample/dense/rows.json"));
  return rows.flatMap(({ groups, model_type, num_models, slo_s, ...row }) => {
    if (groups === undefined) return [];
    const profile = profilesOf(models, model_type);
    const units = Array.from({ length: num_models }, (_, index) => unitOf(`m${index}`, profile));
    const scene = {
      units,
      deadlineSeconds: units.map(() => slo_s),
      layouts: groups.map(layoutOf),
      arrivals: workloadOf(row.workload),
    };
    return {
      policy: row.policy,
      workload: row.workload,
      attainment: row.goodput_all,
      scene,
      sloScale: row.slo_scale,
      deviceCount: row.num_devices,
      deviceBytes: row.mem_budget_bytes,
    };
  });
}

function arrivalsOf(requests: readonly (readonly [number, number])[]): Arrivals {
  return {
    seconds: Float64Array.from(requests, ([seconds]) => seconds),
    units: Uint32Array.from(requests, ([, unit]) => unit),
  };
}

/** Rate and CV of each model in each minute of the Azure sample. */
export function readAzureDemand(folder: string): Demand {
  const path = join(folder, "azure-sample/dense/window_params_default.json");
  const raw = read<RawDemand>(path);
  const loads = raw.params_rate_cv_per_model_per_minute.map((windows) =>
    windows.map((load) => ({ rate: load?.[0] ?? 0, cv: load?.[1] ?? 1 })),
  );
  return { windowSeconds: raw.window_s, loads };
}

interface RawDemand {
  readonly window_s: number;
  /** null where a model is silent. */
  readonly params_rate_cv_per_model_per_minute: readonly (readonly [number, number] | null)[][];
}

type RawModel = Readonly<Record<string, RawProfile>>;

interface RawProfile {
  readonly op: number;
  readonly pp: number;
  readonly stage_latency_s: Readonly<Record<string, readonly number[]>>;
  readonly stage_weight_bytes: readonly number[];
}

interface RawGroup {
  readonly op: number;
  readonly pp: number;
  readonly models: readonly number[];
}

interface RawCase {
  readonly id: string;
  readonly kind: string;
  readonly constants: Readonly<Record<string, number>>;
  readonly models: readonly { name: string; slo_s: number; profile: RawModel }[];
  readonly groups: readonly RawGroup[];
  readonly requests: readonly [number, number][];
  readonly expected: { good: boolean[]; finish_s: number[]; goodput: number };
}

interface RawSearchCase {
  readonly id: string;
  readonly models: readonly { name: string; slo_s: number; profile: RawModel }[];
  readonly cluster: { readonly num_devices: number; readonly mem_budget_bytes: number };
  readonly requests: readonly [number, number][];
  readonly results: readonly { policy: string; goodput: number }[];
  readonly exhaustive?: { readonly best_goodput: number } | null;
}

interface RawRow {
  readonly policy: string;
  readonly workload: string;
  readonly model_types: readonly string[];
  readonly slo_scale: number;
  readonly num_devices: number;
  readonly mem_budget_bytes: number;
  readonly groups: readonly RawGroup[];
  readonly published_goodput: number;
  readonly rerun_goodput_all: number;
}

interface RawAzureRow {
  readonly policy: string;
  readonly workload: string;
  readonly model_type: string;
  readonly num_models: number;
  readonly num_devices: number;
  readonly mem_budget_bytes: number;
  readonly slo_scale: number;
  readonly slo_s: number;
  readonly groups?: readonly RawGroup[];
  readonly goodput_all: number;
}

function readModels(folder: string): Readonly<Record<string, RawModel>> {
  const path = join(folder, "published/profiles_v100.json");
  return read<{ models: Record<string, RawModel> }>(path).models;
}

function profilesOf(models: Readonly<Record<string, RawModel>>, type: string): RawModel {
  return present(models[type], `there are profiles of "${type}"`);
}

/** Each workload is read once. */
function readWorkloads(folder: string): (name: string) => Arrivals {
  const known = new Map<string, Arrivals>();
  return (name) => {
    const path = join(folder, `${name}.json.gz`);
    const arrivals =
      known.get(name) ??
      mergeArrivals(read<{ arrivals_per_model: number[][] }>(path).arrivals_per_model);
    known.set(name, arrivals);
    return arrivals;
  };
}

function read<T>(path: string): T {
  const bytes = readFileSync(path);
  const text = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  return JSON.parse(text) as T; // the file's own shape
}

function unitOf(name: string, model: RawModel): Unit {
  const profiles = Object.values(model).map(
    ({ op, pp, stage_latency_s, stage_weight_bytes }): Profile => ({
      configuration: { intraOp: op, stageCount: pp },
      latencies: Object.entries(stage_latency_s).map(([batchSize, stageSeconds]) => ({
        batchSize: Number(batchSize),
        tokenCount: 1,
        stageSeconds,
      })),
      stageBytes: stage_weight_bytes,
    }),
  );
  return { name, tokenCount: 1, profiles };
}

function layoutOf({ op, pp, models }: RawGroup): Layout {
  return { configuration: { intraOp: op, stageCount: pp }, units: models };
}

/** What a request takes on one device. */
function aloneSeconds(model: RawModel): number {
  const stages = model["op1_pp1"]?.stage_latency_s["1"] ?? [];
  return stages.reduce((sum, seconds) => sum + seconds, 0);
}
