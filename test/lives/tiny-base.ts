/**
 * The base of the simulated machine: a few hundred weights, a word per token, no thread. The
 * reference runtime computes at once; that it takes its time, and fails now and then, is simulated.
 */
import { type BaseWeights } from "../../src/checkpoints/base-weights.ts";
import type { Checkpoint } from "../../src/checkpoints/checkpoints.ts";
import { smallConfig, smallWeights } from "../../src/checkpoints/exam-encoder.ts";
import type { BaseModel } from "../../src/entities/base-model.ts";
import type { Words } from "../../src/entities/words.ts";
import { digestOf } from "../../src/foundation/digest.ts";
import type { Encoded, Tokenizer } from "../../src/formats/formats.ts";
import { ReferenceRuntime } from "../../src/runtime/reference/reference.ts";
import type { Feeds, LoadOptions, Program, Results, Runtime } from "../../src/runtime/runtime.ts";
import type { Graph } from "../../src/tensor/tensor.ts";
import type { Faults } from "./faults.ts";
import type { Lifetime, VirtualTime } from "./virtual-time.ts";

export const baseName = "base";

/** The words that it knows. */
export const words: readonly string[] = Array.from({ length: 8 }, (_, index) => `w${index}`);

const [padId, clsId, sepId, unknownId, firstWordId] = [0, 1, 2, 3, 4];
const tokensMax = 8;

export const baseModel: BaseModel = {
  id: baseName,
  config: smallConfig,
  pooling: "mean",
  tokensMax,
  digest: digestOf("the tiny base"),
  source: "dir:/tiny",
  createdAt: 0,
};

export interface Delays {
  readonly life: Lifetime;
  readonly time: VirtualTime;
  readonly faults: Faults;
}

/** Ids of a text: the first token, a word each, the last token. */
export function tokensOf(text: string): Int32Array {
  const ids = text.split(" ").map((word) => {
    const index = words.indexOf(word);
    return index < 0 ? unknownId : firstWordId + index;
  });
  return Int32Array.of(clsId, ...ids.slice(0, tokensMax - 2), sepId);
}

/** The words of a text, each of which is a token. */
export function wordsOf(text: string): Words {
  const lengths = text.split(" ").map((word) => word.length);
  const covered = lengths.slice(0, tokensMax - 2);
  const starts = covered.map((_, index) =>
    lengths.slice(0, index).reduce((sum, length) => sum + length + 1, 0),
  );
  return {
    tokens: Int32Array.from(covered, (_, index) => index + 1),
    starts: Int32Array.from(starts),
    ends: Int32Array.from(starts, (start, index) => start + (lengths[index] ?? 0)),
  };
}

/** Texts become tokens at once, without delays. */
export function tinyCheckpoint(delays: Delays | undefined): Checkpoint {
  const encode = async (texts: readonly string[]): Promise<Encoded> => {
    await delays?.life.wait();
    return {
      ids: texts.map(tokensOf),
      isTruncated: texts.map((text) => text.split(" ").length > tokensMax - 2),
    };
  };
  const tokenizer: Tokenizer = {
    vocabularySize: smallConfig.vocabularySize,
    padId,
    maskId: undefined,
    encodeWords: async (texts) => ({
      ...(await encode(texts)),
      words: texts.map(wordsOf),
    }),
    isOwn: async (lists) =>
      lists.map((ids) => ids[0] === clsId && ids.indexOf(sepId) === ids.length - 1),
    encode,
  };
  return {
    config: smallConfig,
    pooling: baseModel.pooling,
    tokensMax,
    files: new Map(),
    digest: baseModel.digest,
    folder: "/tiny",
    tensors: () => {
      throw new Error("the weights are given");
    },
    tokenizer: async () => tokenizer,
  };
}

export function tinyWeights(): Promise<BaseWeights> {
  return smallWeights(new ReferenceRuntime());
}

/** A runtime that takes its time, and whose runs fail by chance; without delays it does neither. */
export class SlowRuntime implements Runtime {
  readonly #runtime = new ReferenceRuntime();
  readonly #delays: Delays | undefined;
  readonly #slowness: number;
  /** Full batches are run for their time alone while a base is opened: nothing is computed. */
  isMeasured = true;

  /** A run takes `slowness` times as long as other things do. */
  constructor(delays: Delays | undefined, slowness = 1) {
    this.#delays = delays;
    this.#slowness = slowness;
  }

  prepare(): void {}

  async load(graph: Graph, options?: LoadOptions): Promise<Program> {
    const program = await this.#runtime.load(graph, options);
    const delays = this.#delays;
    return {
      run: async (feeds: Feeds): Promise<Results> => {
        await delays?.life.wait(this.#slowness);
        if (this.isMeasured) return {};
        const isDead = delays?.faults.strikes("run", "a graph") === true;
        if (isDead) throw new Error("the thread has died");
        const results = await program.run(feeds);
        await delays?.life.wait(this.#slowness);
        return results;
      },
      write: (values) => program.write(values),
      read: (names) => program.read(names),
      release: () => program.release(),
    };
  }

  async close(): Promise<void> {}
}
