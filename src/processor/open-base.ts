/** A base model made ready to answer: its weights in every worker, its tokenizer, its queue. */
import type { Precision } from "../entities/base-model.ts";
import type { Clock } from "../foundation/clock.ts";
import type { Telemetry } from "../foundation/telemetry.ts";
import { type BaseWeights, constantsOf } from "../checkpoints/base-weights.ts";
import type { Checkpoint } from "../checkpoints/checkpoints.ts";
import { servingGraph } from "../models/serving-graph.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { Engine } from "./engine.ts";
import { measureMsPerToken } from "./warm-up.ts";
import { TokenizeQueue } from "./tokenize-queue.ts";

export interface OpenBase {
  readonly id: string;
  readonly checkpoint: Checkpoint;
  readonly precision: Precision;
  readonly engine: Engine;
  readonly tokenizer: TokenizeQueue;
}

export interface OpenBaseOptions {
  readonly id: string;
  readonly checkpoint: Checkpoint;
  readonly weights: BaseWeights;
  readonly precision: Precision;
  /** One per worker. */
  readonly runtimes: readonly Runtime[];
  readonly memory: Float32Array;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export async function openBase(options: OpenBaseOptions): Promise<OpenBase> {
  const { id, checkpoint, weights, precision, runtimes, memory, clock, telemetry } = options;
  // What may be wrong with a base comes before its weights fill every worker.
  const tokenizer = new TokenizeQueue(await checkpoint.tokenizer());
  const graph = servingGraph(checkpoint.config, precision);
  const constants = constantsOf(graph, weights);
  const programs = await Promise.all(runtimes.map((runtime) => runtime.load(graph, { constants })));
  const { config } = checkpoint;
  const msPerToken = await measureMsPerToken(programs, config, clock);
  const engine = new Engine({ config, programs, memory, msPerToken, clock, telemetry });
  return { id, checkpoint, precision, engine, tokenizer };
}
