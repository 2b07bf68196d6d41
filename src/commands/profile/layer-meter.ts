/**
 * Times a base layer by layer on one runtime. Each layer is a session of its own; what a session
 * costs beside its layers is told by the whole graph, which pays it once.
 */
import { type BaseWeights, constantsOf } from "../../checkpoints/base-weights.ts";
import type { EncoderConfig, Precision } from "../../entities/base-model.ts";
import { present } from "../../foundation/assert.ts";
import type { Clock } from "../../foundation/clock.ts";
import { SeededRandom } from "../../foundation/random.ts";
import { silentTelemetry } from "../../foundation/telemetry.ts";
import { formsIn, upperBottleneck, upperLayers } from "../../models/adapters/adapters.ts";
import { servingGraph } from "../../models/serving-graph.ts";
import { stageGraph } from "../../models/stage-graph.ts";
import type { LayerTimes } from "../../placement/layer-times.ts";
import { AdapterPool } from "../../engine/adapter-pool.ts";
import type { BatchRow, LaneProgram } from "../../lanes/lane.ts";
import { textFeeds } from "../../lanes/batch-feeds.ts";
import { Engine } from "../../engine/engine.ts";
import { AdapterPrograms } from "../../lanes/adapter-programs.ts";
import { textLane } from "../../lanes/text-lane.ts";
import { Workers } from "../../engine/workers.ts";
import type { Feeds, Program, Runtime } from "../../runtime/runtime.ts";
import type { Graph } from "../../tensor/tensor.ts";

export interface MeterOptions {
  readonly config: EncoderConfig;
  readonly weights: BaseWeights;
  readonly precision: Precision;
  /** The rank of the adapter that each sequence brings. */
  readonly rank: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export type BatchShape = Pick<LayerTimes, "batchSize" | "tokenCount">;

export interface ShapeTimes extends Pick<LayerTimes, "layerSeconds" | "hopSeconds"> {
  readonly wholeSeconds: number;
}

interface Loaded {
  readonly source: LaneProgram;
  readonly program: Program;
}

interface Parts {
  readonly workers: Workers;
  readonly whole: Loaded;
  readonly layers: readonly Loaded[];
}

/** Times are medians over rounds, in each of which everything runs once. */
const roundCountMax = 15;
const roundCountMin = 3;
const shapeMsMax = 1500;
const requestCount = 31;

/** Owns its programs on the runtime, which go with the runtime. */
export class LayerMeter {
  readonly #options: MeterOptions;
  readonly #parts: Parts;
  /** Nothing is in it: adapters are zeros, which cost what any adapter does. */
  readonly #pool = new AdapterPool({
    bytes: Float32Array.BYTES_PER_ELEMENT,
    load: () => Promise.resolve(new Map()),
    metrics: silentTelemetry.metrics,
  });
  readonly #random = new SeededRandom(1);

  private constructor(options: MeterOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  static async open(runtime: Runtime, options: MeterOptions): Promise<LayerMeter> {
    const { config, weights, precision, signal } = options;
    const workers = new Workers([runtime]);
    const load = async (graph: Graph): Promise<Loaded> => {
      signal.throwIfAborted();
      const source = { graph, constants: constantsOf(graph, weights) };
      const [program] = await workers.load(source);
      return { source, program: present(program, "there is one worker") };
    };
    const adapters = formsIn(upperLayers(config));
    const layers: Loaded[] = [];
    for (let from = 0; from < config.layerCount; from++)
      layers.push(await load(stageGraph(config, precision, { from, until: from + 1, adapters })));
    const whole = await load(servingGraph(config, precision, { adapters }));
    return new LayerMeter(options, { workers, whole, layers });
  }

  async measure(shape: BatchShape): Promise<ShapeTimes> {
    const { clock } = this.#options;
    const parts = [this.#parts.whole, ...this.#parts.layers];
    const times: number[][] = parts.map(() => []);
    const startMs = clock.monotonic();
    // The first round allocates.
    for (let round = -1; round < roundCountMax; round++) {
      if (round >= roundCountMin && clock.monotonic() - startMs > shapeMsMax) break;
      for (const [part, loaded] of parts.entries()) {
        const seconds = await this.#time(loaded, shape);
        if (round >= 0) times[part]?.push(seconds);
      }
    }
    const [wholeSeconds = 0, ...sessionSeconds] = times.map(median);
    const sum = sessionSeconds.reduce((a, b) => a + b, 0);
    const hopSeconds = Math.max(0, (sum - wholeSeconds) / Math.max(1, sessionSeconds.length - 1));
    const layerSeconds = sessionSeconds.map((seconds) => Math.max(0, seconds - hopSeconds));
    return { wholeSeconds, hopSeconds, layerSeconds };
  }

  /** What the engine's queue adds to a run of a request that meets nobody. */
  async measureRequest(tokenCount: number): Promise<number> {
    const { config, clock } = this.#options;
    const { workers, whole } = this.#parts;
    const engine = new Engine({ workers, pool: this.#pool, clock, telemetry: silentTelemetry });
    const lane = textLane({
      key: "profile",
      // It admits nothing, so that it need not foresee.
      msPerToken: 1,
      config,
      programs: new AdapterPrograms(config, () => whole.source),
      memory: this.#pool.memory,
    });
    const flow = { id: "profile", weight: 1, deadlineMs: Infinity };
    const times: number[] = [];
    for (let request = -1; request < requestCount; request++) {
      this.#options.signal.throwIfAborted();
      const [row] = this.#rows({ batchSize: 1, tokenCount });
      const startMs = clock.monotonic();
      const [answer] = engine.submit([
        { lane, flow, row: present(row, "one was asked for"), weights: undefined },
      ]);
      const { runMs } = await present(answer, "one was submitted");
      if (request >= 0) times.push((clock.monotonic() - startMs - runMs) / 1000);
    }
    return median(times);
  }

  async #time({ source, program }: Loaded, shape: BatchShape): Promise<number> {
    const { clock, signal } = this.#options;
    signal.throwIfAborted();
    const given = Object.entries(this.#feeds(shape)).filter(([name]) =>
      source.graph.inputs.has(name),
    );
    const startMs = clock.monotonic();
    await program.run(Object.fromEntries(given));
    return (clock.monotonic() - startMs) / 1000;
  }

  /** The feeds of every graph; a run takes the buffers over. */
  #feeds(shape: BatchShape): Feeds {
    const { config } = this.#options;
    const { hiddenSize } = config;
    const { batchSize, tokenCount } = shape;
    const values = new Float32Array(batchSize * tokenCount * hiddenSize);
    for (const index of values.keys()) values[index] = this.#random.uniform() - 0.5;
    return {
      ...textFeeds(config, this.#rows(shape), {
        memory: this.#pool.memory,
        adapters: formsIn(upperLayers(config)),
      }),
      states: {
        kind: "value",
        type: "float32",
        shape: [batchSize, tokenCount, hiddenSize],
        values,
      },
    };
  }

  #rows({ batchSize, tokenCount }: BatchShape): readonly BatchRow[] {
    const { config, rank } = this.#options;
    const adapter = upperBottleneck(config, rank);
    const draw = (): number => this.#random.integer(config.vocabularySize);
    return Array.from({ length: batchSize }, () => ({
      ids: Int32Array.from({ length: tokenCount }, draw),
      ...{ pooling: "mean", adapter, outputCount: 2, resident: undefined },
    }));
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
