/** The real trainer and creator over a memory store, for the claim `honest`. */
import { rm } from "node:fs/promises";
import { openPulledBase } from "../src/sources/base-cache.ts";
import { loadBaseWeights } from "../src/checkpoints/base-weights.ts";
import { openCheckpoint } from "../src/checkpoints/folder.ts";
import type { Creator } from "../src/creator/creator.ts";
import { createCreator } from "../src/creator/store-creator.ts";
import type { Precision } from "../src/entities/base-model.ts";
import { operator } from "../src/entities/caller.ts";
import type { Version, VirtualModel } from "../src/entities/virtual-model.ts";
import { decodeSafetensors } from "../src/formats/safetensors.ts";
import { assert, present } from "../src/foundation/assert.ts";
import { createFiles } from "../src/files/store-files.ts";
import { systemClock } from "../src/foundation/clock.ts";
import { systemIds } from "../src/foundation/random.ts";
import { silentTelemetry } from "../src/foundation/telemetry.ts";
import { OrtRuntime } from "../src/runtime/ort/ort-runtime.ts";
import type { Value } from "../src/runtime/runtime.ts";
import { createMemoryStore } from "../src/storage/memory/memory-store.ts";
import type { Store } from "../src/storage/storage.ts";
import { JobTrainer } from "../src/trainer/job-trainer.ts";
import { TrainingBase } from "../src/learning/training-base.ts";
import { writeSmallCheckpoint } from "../src/checkpoints/exam-small-checkpoint.ts";
import { servedScore } from "./accuracy-serving.ts";
import type { Row } from "./honest-texts.ts";
import { textClassification } from "../src/tasks/text-classification.ts";

const baseId = "base";

export class Stage {
  readonly base: TrainingBase;
  readonly #runtime: OrtRuntime;
  readonly #store: Store = createMemoryStore();
  readonly #creator: Creator;
  readonly #trainer: JobTrainer;
  readonly #afterwards: () => Promise<void>;
  #modelCount = 0;

  constructor(base: TrainingBase, runtime: OrtRuntime, afterwards: () => Promise<void>) {
    this.base = base;
    this.#afterwards = afterwards;
    this.#runtime = runtime;
    const parts = { store: this.#store, clock: systemClock, ids: systemIds };
    this.#creator = createCreator(parts);
    const openBase = () => Promise.resolve(base);
    this.#trainer = new JobTrainer({
      ...parts,
      creator: this.#creator,
      files: createFiles(parts),
      telemetry: silentTelemetry,
      openBase,
      checkBase: () => {},
    });
  }

  async open(): Promise<void> {
    const { config, digest, pooling, tokensMax } = this.base.checkpoint;
    const facts = { config, digest, pooling, tokensMax, source: "bench", createdAt: 0 };
    await this.#store.catalog.bases.insert({ id: baseId, ...facts });
    await this.#trainer.start();
  }

  async close(): Promise<void> {
    await this.#trainer.close();
    await this.#runtime.close();
    await this.#afterwards();
  }

  /** A model with its instant version. */
  async create(rows: readonly Row[]): Promise<VirtualModel> {
    const trainingFile = await this.#upload(rows);
    const id = `m${++this.#modelCount}`;
    return this.#creator.create(operator, { id, base: baseId }, () =>
      this.#trainer.fitInstant(operator, { base: baseId, trainingFile }),
    );
  }

  /** Trains a model, or a new one of the base; returns it as it is then, with its versions. */
  async train(
    model: VirtualModel | undefined,
    rows: readonly Row[],
    epochCount?: number,
  ): Promise<{ readonly model: VirtualModel; readonly versions: readonly Version[] }> {
    const trainingFile = await this.#upload(rows);
    const hyperparameters = epochCount === undefined ? {} : { epochCount };
    const wanted = { model: model?.id ?? baseId, trainingFile, hyperparameters };
    const job = await this.#trainer.submit(operator, wanted);
    const done = await this.#trainer.finished(operator, job.id);
    assert(done.status === "succeeded", `The job has ${done.status}: ${done.error?.message ?? ""}`);
    const after = await this.#store.catalog.of(operator).models.get(done.model ?? "");
    const trained = present(after, "the job's model is there");
    const versions = await this.#store.catalog
      .of(operator)
      .versions.list(trained.incarnation, { limit: 100 });
    return { model: trained, versions };
  }

  async served(model: VirtualModel): Promise<Version> {
    const { incarnation, servedVersion = 0 } = model;
    const { versions } = this.#store.catalog.of(operator);
    return present(await versions.get(incarnation, servedVersion), "the served version is there");
  }

  serve(model: VirtualModel, version: number): Promise<VirtualModel> {
    return this.#creator.serve(operator, model, version);
  }

  delete(model: VirtualModel): Promise<void> {
    return this.#creator.delete(operator, model);
  }

  /** Accuracy through the serving graph on rows that no training has seen. */
  async testAccuracy(version: Version, rows: readonly Row[]): Promise<number> {
    const file = decodeSafetensors(await this.#store.blobs.get(version.blob));
    const tensors = new Map<string, Value>();
    for (const name of file.names) {
      const { shape, values } = file.tensor(name);
      tensors.set(name, { kind: "value", type: "float32", shape, values });
    }
    const tokenizer = await this.base.checkpoint.tokenizer();
    const { ids } = await tokenizer.encode(rows.map(({ text }) => text));
    const answers = rows.map(({ label }) => Int32Array.of(version.labels.indexOf(label)));
    const test = { ids, answers, states: undefined };
    const labelCount = version.labels.length;
    const parts = { base: this.base, runtime: this.#runtime, kind: textClassification };
    return servedScore({ tensors, adapter: version.adapter }, { ...parts, labelCount, test });
  }

  async #upload(rows: readonly Row[]): Promise<string> {
    const lines = rows.map((row) => JSON.stringify(row)).join("\n");
    const bytes = new TextEncoder().encode(lines);
    const id = systemIds.next("file-");
    await this.#store.keeper.storing(async (storage) =>
      this.#store.catalog.of(operator).files.insert({
        id,
        filename: "rows.jsonl",
        purpose: "fine-tune",
        bytes: bytes.length,
        blob: await storage.put(bytes),
        task: undefined,
        createdAt: 0,
        faultSummary: undefined,
      }),
    );
    return id;
  }
}

/** The stage over all-MiniLM-L6-v2. */
export async function openRealStage(cacheFolder: string): Promise<Stage> {
  const { folder } = await openPulledBase(cacheFolder, "all-MiniLM-L6-v2");
  return openStage(folder, "int8");
}

/**
 * The stage over the small base of the tests, which learns a file by heart in a fraction of a
 * second.
 */
export async function openSmallStage(): Promise<Stage> {
  const folder = await writeSmallCheckpoint();
  return openStage(folder, "fp32", () => rm(folder, { recursive: true }));
}

/** One thread runs it: the claim is about figures, not about time. */
async function openStage(
  folder: string,
  precision: Precision,
  afterwards = (): Promise<void> => Promise.resolve(),
): Promise<Stage> {
  const checkpoint = await openCheckpoint(folder);
  const runtime = new OrtRuntime({ threadCount: 1, spinUs: 0 });
  const weights = await loadBaseWeights(checkpoint, runtime);
  const base = new TrainingBase({ checkpoint, weights, precision, runtime });
  const stage = new Stage(base, runtime, afterwards);
  await stage.open();
  return stage;
}
