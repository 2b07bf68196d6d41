/** Everything between a processor and the machine, over a memory store, for one base model. */
import { openCheckpoint } from "../checkpoints/folder.ts";
import { type BaseWeights, constantsOf, loadBaseWeights } from "../checkpoints/base-weights.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import type { Creator } from "../creator/creator.ts";
import { createCreator } from "../creator/store-creator.ts";
import type { Precision } from "../entities/base-model.ts";
import { operator, type Tenant } from "../entities/caller.ts";
import {
  type AdapterSpecification,
  defaultTask,
  type Version,
  type VirtualModel,
} from "../entities/virtual-model.ts";
import { elementCount } from "../foundation/element-count.ts";
import type { TaskName } from "../foundation/kind-names.ts";
import type { Weight, Weights } from "../entities/weights.ts";
import { decodeWeights } from "../formats/safetensors.ts";
import { present } from "../foundation/assert.ts";
import { systemClock } from "../foundation/clock.ts";
import { SeededRandom, systemIds } from "../foundation/random.ts";
import { type Log, silentTelemetry } from "../foundation/telemetry.ts";
import { formsIn, upperForm, upperLayers } from "../models/adapters/adapters.ts";
import { servingGraph } from "../models/serving-graph.ts";
import { versionTensors } from "../models/version-tensors.ts";
import { taskKinds } from "../tasks/task-kinds.ts";
import { AdapterPool } from "../engine/adapter-pool.ts";
import { BatchingProcessor } from "./batching-processor.ts";
import { Engine } from "../engine/engine.ts";
import { ModelDirectory } from "./model-directory.ts";
import { type OpenBase, openBase } from "./open-base.ts";
import type { Processor } from "./processor.ts";
import { Workers } from "../engine/workers.ts";
import { OrtRuntime } from "../runtime/ort/ort-runtime.ts";
import type { Program } from "../runtime/runtime.ts";
import { createMemoryStore } from "../storage/memory/memory-store.ts";
import type { StoreDriver } from "../storage/storage.ts";
import { type AdapterForm } from "../models/adapter-kind.ts";

export interface Stack {
  readonly store: StoreDriver;
  readonly creator: Creator;
  readonly processor: Processor;
  readonly pool: AdapterPool;
  readonly checkpoint: Checkpoint;
  readonly weights: BaseWeights;
  readonly runtime: OrtRuntime;
  close(): Promise<void>;
}

export interface StackOptions {
  readonly folder: string;
  readonly precision: Precision;
  readonly poolBytes?: number;
  /** A silent one when absent. */
  readonly log?: Log;
  /** What is served of the base, where that is not all. */
  narrowed?(base: OpenBase): OpenBase;
}

/** The base model is called `base`. */
export async function openStack(options: StackOptions): Promise<Stack> {
  const { folder, precision, poolBytes = 64 * 1024 * 1024, log = silentTelemetry.log } = options;
  const [store, clock] = [createMemoryStore(), systemClock];
  const directory = new ModelDirectory(store.catalog);
  const onChange = (tenant: Tenant, model: string): void => directory.forget(tenant, model);
  const creator = createCreator({ store, clock, ids: systemIds, onChange });
  const pool = new AdapterPool({
    bytes: poolBytes,
    metrics: silentTelemetry.metrics,
    load: async (blob) => decodeWeights(await store.blobs.get(blob)),
  });
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const checkpoint = await openCheckpoint(folder);
  const weights = await loadBaseWeights(checkpoint, runtime);
  const workers = new Workers([runtime]);
  const base = await openBase({
    id: "base",
    checkpoint,
    weights,
    precision,
    workers,
    memory: pool.memory,
    clock,
  });
  const { config, pooling, tokensMax, digest } = checkpoint;
  const facts = { config, pooling, tokensMax, digest, source: `dir:${folder}`, createdAt: 0 };
  await store.catalog.bases.insert({ id: "base", ...facts });
  const close = (): Promise<void> => runtime.close();
  const bases = new Map([["base", options.narrowed?.(base) ?? base]]);
  const processor = new BatchingProcessor({
    directory,
    engine: new Engine({ workers, pool, clock, telemetry: silentTelemetry }),
    clock,
    log,
    bases,
    whyRefused: (id) => `base model "${id}" is not loaded on this server`,
  });
  return { store, creator, processor, pool, checkpoint, weights, runtime, close };
}

/** The serving graph, to be run without queue and tokenizer. */
export function loadServing(stack: Stack, precision: Precision): Promise<Program> {
  const graph = servingGraph(stack.checkpoint.config, precision, {
    adapters: formsIn(upperLayers(stack.checkpoint.config)),
  });
  return stack.runtime.load(graph, { constants: constantsOf(graph, stack.weights) });
}

export interface RandomModel {
  readonly id: string;
  /** 0 for a head alone. */
  readonly rank: number;
  /** A bottleneck in the upper layers when absent. */
  readonly form?: AdapterForm;
  readonly labelCount: number;
  /** `text-classification` when absent. */
  readonly task?: TaskName;
  /** The standard deviation of the weights; 0.05 when absent. */
  readonly deviation?: number;
  /** The same seed gives the same weights; without one every call gives others. */
  readonly seed?: number;
  /** Random ones when absent. */
  readonly tensors?: Weights;
}

/** Creates a model with a version of random weights; each id and call gives other ones. */
export async function createRandomModel(stack: Stack, model: RandomModel): Promise<Version> {
  const labels = Array.from({ length: model.labelCount }, (_, index) => `label ${index}`);
  await stack.creator.create(operator, { id: model.id, base: "base", task: model.task, labels });
  return publishRandom(stack, model, true);
}

/** The model of this name, which is there. */
export async function modelNamed({ store }: Stack, id: string): Promise<VirtualModel> {
  return present(await store.catalog.of(operator).models.get(id), `there is a model "${id}"`);
}

export async function publishRandom(
  stack: Stack,
  model: RandomModel,
  isServed: boolean,
): Promise<Version> {
  const { rank, form } = model;
  const labels = Array.from({ length: model.labelCount }, (_, index) => `label ${index}`);
  return stack.creator.publish(operator, await modelNamed(stack, model.id), {
    kind: "trained",
    labels,
    tensors: model.tensors ?? randomTensors(stack.checkpoint, model),
    task: model.task ?? defaultTask,
    adapter: adapterOf(stack.checkpoint, rank, form),
    form: "dense",
    domain: undefined,
    pooling: rank % 3 === 1 ? "cls" : "mean",
    precision: "fp32",
    metrics: {},
    isServed,
  });
}

/** An adapter of the rank; none for 0. */
export function adapterOf(
  { config }: Checkpoint,
  rank: number,
  form: AdapterForm = upperForm(config),
): AdapterSpecification | undefined {
  return rank === 0 ? undefined : { ...form, rank };
}

let stream = 0;

/** Weights of an adapter and a head, without the adapter for rank 0. */
export function randomTensors(
  checkpoint: Checkpoint,
  { rank, form, labelCount, task = defaultTask, deviation = 0.05, seed }: Omit<RandomModel, "id">,
): Map<string, Weight> {
  const wanted = versionTensors(checkpoint.config, {
    adapter: adapterOf(checkpoint, rank, form),
    outputCount: taskKinds[task].outputCount(labelCount),
  });
  const random =
    seed === undefined ? new SeededRandom(3, (stream += 1)) : new SeededRandom(4, seed);
  return new Map(
    wanted.map(({ name, shape }) => {
      const length = elementCount(shape);
      const values = Float32Array.from({ length }, () => deviation * random.normal());
      return [name, { shape, values }];
    }),
  );
}

/** The largest |a - b|; NaN when there is one, Infinity when the lengths differ. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let index = 0; index < a.length; index++) {
    const difference = Math.abs((a[index] ?? NaN) - (b[index] ?? NaN));
    if (!(difference <= most)) most = difference;
  }
  return most;
}
