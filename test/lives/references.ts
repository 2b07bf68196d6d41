/**
 * What a version answers to a text when it is alone: its own weights, a batch of one, no pool, no
 * queue. Every answer of the server must be equal to this one.
 */
import type { BaseWeights } from "../../src/checkpoints/base-weights.ts";
import { present } from "../../src/foundation/assert.ts";
import { decodeWeights } from "../../src/formats/safetensors.ts";
import type { Lane } from "../../src/lanes/lane.ts";
import { openBase, type OpenBase } from "../../src/processor/open-base.ts";
import type { TextAnswer } from "../../src/lanes/text-lane.ts";
import { Workers } from "../../src/engine/workers.ts";
import { taskKinds } from "../../src/tasks/task-kinds.ts";
import { entitiesFound, type FoundEntity } from "../../src/tasks/token-classification.ts";
import type { VersionLife } from "./ledger-entries.ts";
import { baseModel, SlowRuntime, tinyCheckpoint, tokensOf, wordsOf } from "./tiny-base.ts";

type Weighed = Pick<VersionLife, "blob" | "weights" | "adapter" | "task" | "labels">;

/** Floats of any version, one at a time. */
const memoryLength = 16 * 1024;

export class References {
  readonly #base: OpenBase;
  readonly #workers: Workers;
  readonly #memory: Float32Array;
  readonly #known = new Map<string, Promise<unknown>>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(base: OpenBase, parts: { workers: Workers; memory: Float32Array }) {
    this.#base = base;
    this.#workers = parts.workers;
    this.#memory = parts.memory;
  }

  static async create(weights: BaseWeights): Promise<References> {
    const runtime = new SlowRuntime(undefined);
    const workers = new Workers([runtime]);
    const memory = new Float32Array(memoryLength);
    const clock = { now: () => 0, monotonic: () => 0, schedule: () => () => {} };
    const checkpoint = tinyCheckpoint(undefined);
    const parts = { checkpoint, weights, precision: "fp32", workers, memory, clock } as const;
    const base = await openBase({ id: baseModel.id, ...parts });
    runtime.isMeasured = false;
    return new References(base, { workers, memory });
  }

  /** The answer of a version to a whole text, or of the base alone. */
  answer(version: Weighed | undefined, text: string): Promise<TextAnswer> {
    return this.#ask(this.#base.lanes.sequence, version, text);
  }

  /** The entities that a version finds in a text. */
  async entities(version: Weighed, text: string): Promise<readonly FoundEntity[]> {
    const outputs = await this.#ask(this.#base.lanes.token, version, text);
    return entitiesFound({ text, words: wordsOf(text), labels: version.labels, ...outputs });
  }

  #ask<Answer>(lane: Lane<Answer>, version: Weighed | undefined, text: string): Promise<Answer> {
    const key = `${lane.key} ${version?.blob ?? ""} ${version?.labels.length ?? 0} ${text}`;
    const known = this.#known.get(key) as Promise<Answer> | undefined; // The lane's own answers.
    if (known !== undefined) return known;
    // All share one memory.
    const computed = this.#last.then(() => this.#compute(lane, version, text));
    this.#last = computed.catch(() => undefined);
    this.#known.set(key, computed);
    return computed;
  }

  async #compute<Answer>(
    lane: Lane<Answer>,
    version: Weighed | undefined,
    text: string,
  ): Promise<Answer> {
    const outputCount = version ? taskKinds[version.task].outputCount(version.labels.length) : 0;
    const row = {
      ids: tokensOf(text),
      pooling: baseModel.pooling,
      adapter: version?.adapter,
      outputCount,
      resident: version && this.#place(version.weights),
    };
    const [program] = await this.#workers.load(lane.programFor([row]));
    const results = await present(program, "there is a worker").run(lane.feeds([row]));
    return present(lane.answers(results, [row])[0], "its weights are finite");
  }

  /** Puts the weights where the lane gathers them from. */
  #place(bytes: Uint8Array) {
    const spans = new Map<string, { readonly offset: number; readonly length: number }>();
    let offset = 0;
    for (const [name, { values }] of decodeWeights(bytes)) {
      this.#memory.set(values, offset);
      spans.set(name, { offset, length: values.length });
      offset += values.length;
    }
    return spans;
  }
}
